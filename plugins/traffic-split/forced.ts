import { cookieValue, type Exchange } from '../../core/index.js';

/** A request that has this header field or cookie goes to this service, whatever the weights say. */
export interface ForceRule {
  readonly header?: string;
  readonly cookie?: string;
  readonly value: string;
  readonly service: string;
}

/** A rule, made ready: the field to look at, in lower case, and the position of the variant. */
interface Rule {
  readonly header: string | undefined;
  readonly cookie: string;
  readonly value: string;
  readonly position: number;
}

/** Finds the variant that a request asks for itself. */
export class Forced {
  readonly #rules: readonly Rule[];

  /** @param services of the variants, in order */
  constructor(rules: readonly ForceRule[], services: readonly string[]) {
    this.#rules = rules.map(({ header, cookie, value, service }) => ({
      header: header?.toLowerCase(),
      cookie: cookie ?? '',
      value,
      position: services.indexOf(service),
    }));
  }

  /** The position of the variant that the first rule which fits names; -1 where none fits. */
  find({ req: { headers } }: Exchange): number {
    for (const { header, cookie, value, position } of this.#rules) {
      const found = header === undefined ? cookieValue(headers.cookie, cookie) : headers[header];
      if (found === value) return position;
    }
    return -1;
  }
}
