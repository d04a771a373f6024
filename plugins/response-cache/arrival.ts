import { fieldsOf, type GatewayContext, type UpstreamResponse } from '../../core/index.js';
import type { Fetch } from './fetches.js';
import type { Lookup } from './lookup.js';

/** A response to a request of the cache, on its way to the store. */
export interface Arrival {
  readonly lookup: Lookup;
  readonly upstream: UpstreamResponse;
  /** The fields of its head, names and values in turn; to be read at once, since plugins outside may add to them. */
  readonly fields: readonly string[];
  readonly fetch: Fetch;
}

/**
 * What came from the upstream; undefined where a plugin inside answered, or has taken the body.
 *
 * @param before the fields that the response had before
 */
export function arrivalOf(
  { gateway, res }: GatewayContext,
  before: readonly string[],
  lookup: Lookup,
  fetch: Fetch,
): Arrival | undefined {
  const { upstream } = gateway;
  if (
    upstream === undefined ||
    gateway.bodySource !== 'upstream' ||
    gateway.bodyStream !== undefined ||
    res.statusCode !== upstream.status
  )
    return undefined;
  const fields = receivedFields(fieldsOf(res), before, upstream.headers);
  return { lookup, upstream, fields, fetch };
}

/**
 * The fields that came from inside, without those that plugins outside had set before; with those of the upstream that
 * these took the place of, since on another request they may not be set.
 */
function receivedFields(
  all: readonly string[],
  before: readonly string[],
  upstream: readonly string[],
): readonly string[] {
  if (before.length === 0) return all;
  const fields = all.slice(before.length);
  for (let i = 0; i + 1 < upstream.length; i += 2) {
    const name = upstream[i] ?? '';
    if (has(before, name) && !has(fields, name)) fields.push(name, upstream[i + 1] ?? '');
  }
  return fields;
}

function has(fields: readonly string[], name: string): boolean {
  const lower = name.toLowerCase();
  for (let i = 0; i < fields.length; i += 2) {
    const each = fields[i] ?? '';
    if (each.length === lower.length && each.toLowerCase() === lower) return true;
  }
  return false;
}
