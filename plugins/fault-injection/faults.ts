import type { IncomingHttpHeaders } from 'node:http';
import { parseDuration } from '../../core/index.js';
import type { AbortStatus } from './statuses.js';

/** Which requests a fault meets. */
interface FaultShare {
  /** 0 to 100, of the requests that the header leaves. */
  readonly percentage: number;
  /** Only requests that have this header field. */
  readonly header?: string;
}

/** Options of the delay; milliseconds. */
export interface DelayOptions extends FaultShare {
  readonly duration: number;
  /** The end of a range that begins with `duration`, and the most that a header can ask for. */
  readonly maxDuration?: number;
}

/** Options of the abort. */
export interface AbortOptions extends FaultShare {
  readonly status: AbortStatus;
  /** What else a header can ask for. */
  readonly headerStatuses: readonly AbortStatus[];
}

/** Says which requests a fault meets, by chance and by header. */
class Share {
  readonly #percentage: number;
  readonly #header: string | undefined;
  readonly #random: () => number;

  constructor({ percentage, header }: FaultShare, random: () => number) {
    this.#percentage = percentage;
    this.#header = header?.toLowerCase();
    this.#random = random;
  }

  /** @returns what the header says, which is empty where none is asked for; undefined where the fault passes by */
  meets(headers: IncomingHttpHeaders): string | undefined {
    let asked = '';
    if (this.#header !== undefined) {
      const value = headers[this.#header];
      if (typeof value !== 'string') return undefined;
      asked = value.trim();
    }
    return this.#random() * 100 < this.#percentage ? asked : undefined;
  }
}

/** Says how long requests are held up. */
export class DelayFault {
  readonly #share: Share;
  readonly #least: number;
  readonly #most: number;
  readonly #random: () => number;

  /** @param random in [0, 1) */
  constructor(options: DelayOptions, random: () => number) {
    this.#share = new Share(options, random);
    this.#least = options.duration;
    this.#most = options.maxDuration ?? options.duration;
    this.#random = random;
  }

  /** Milliseconds for a request; 0 for none. */
  of(headers: IncomingHttpHeaders): number {
    const asked = this.#share.meets(headers);
    if (asked === undefined) return 0;
    const wanted = asked === '' ? undefined : parseDuration(asked);
    if (wanted !== undefined) return Math.min(wanted, this.#most);
    return this.#least + this.#random() * (this.#most - this.#least);
  }
}

/** Says what requests are aborted with. */
export class AbortFault {
  readonly #share: Share;
  readonly #status: AbortStatus;
  /** By the text that a header asks for it with. */
  readonly #askable: ReadonlyMap<string, AbortStatus>;

  /** @param random in [0, 1) */
  constructor(options: AbortOptions, random: () => number) {
    this.#share = new Share(options, random);
    this.#status = options.status;
    this.#askable = new Map(options.headerStatuses.map((status) => [String(status), status]));
  }

  /** What a request is aborted with; undefined where it is not. */
  of(headers: IncomingHttpHeaders): AbortStatus | undefined {
    const asked = this.#share.meets(headers);
    return asked === undefined ? undefined : (this.#askable.get(asked) ?? this.#status);
  }
}
