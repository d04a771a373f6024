import type { Exchange } from '../../core/index.js';

/** Where the key of a request is looked for. */
export interface CredentialPlaces {
  /** A header field. */
  readonly header: string;
  /** A query parameter, case-sensitive. */
  readonly query?: string;
  /** Whether the upstream gets the header field. */
  readonly forward: boolean;
}

/** Takes the key out of requests. */
export class CredentialTaker {
  readonly #header: string;
  readonly #query: string | undefined;
  readonly #forward: boolean;

  constructor({ header, query, forward }: CredentialPlaces) {
    this.#header = header.toLowerCase();
    this.#query = query;
    this.#forward = forward;
  }

  /**
   * What a request shows as its key, which is kept from the upstream from here on.
   *
   * @returns undefined when it shows none; the empty string when it shows more than one, or what can't be decoded
   */
  take(exchange: Exchange): string | undefined {
    const field = exchange.req.headers[this.#header];
    if (field !== undefined && !this.#forward) exchange.removeUpstreamHeader(this.#header);
    const inHeader = Array.isArray(field) ? '' : field;
    if (this.#query === undefined || exchange.query === '') return inHeader;
    exchange.upstreamPath = withoutParameter(exchange.upstreamPath, this.#query);
    const inQuery = parameter(exchange.query, this.#query);
    return inHeader !== undefined && inQuery !== undefined ? '' : (inHeader ?? inQuery);
  }
}

/**
 * The value of a query parameter, decoded.
 *
 * @param query with its `?`
 * @returns undefined when there is none; the empty string when there are several, or one that is malformed
 */
export function parameter(query: string, name: string): string | undefined {
  let value: string | undefined;
  for (const part of query.slice(1).split('&')) {
    if (!isNamed(part, name)) continue;
    if (value !== undefined) return '';
    const equals = part.indexOf('=');
    value = equals === -1 ? '' : (decoded(part.slice(equals + 1)) ?? '');
  }
  return value;
}

/** A path and query without a parameter, whatever it is spelt like; everything else byte for byte. */
export function withoutParameter(pathAndQuery: string, name: string): string {
  const mark = pathAndQuery.indexOf('?');
  if (mark === -1) return pathAndQuery;
  const parts = pathAndQuery.slice(mark + 1).split('&');
  const rest = parts.filter((part) => !isNamed(part, name));
  if (rest.length === parts.length) return pathAndQuery;
  const path = pathAndQuery.slice(0, mark);
  return rest.length === 0 ? path : `${path}?${rest.join('&')}`;
}

function isNamed(part: string, name: string): boolean {
  const equals = part.indexOf('=');
  const written = equals === -1 ? part : part.slice(0, equals);
  return written === name || (written.includes('%') && decoded(written) === name);
}

/** Text of `application/x-www-form-urlencoded`; undefined when it is malformed. */
function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
