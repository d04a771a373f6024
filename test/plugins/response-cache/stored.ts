import { ResponseFields } from '../../../plugins/response-cache/response-fields.js';
import type { StoredBody } from '../../../plugins/response-cache/stored-body.js';
import { StoredResponse } from '../../../plugins/response-cache/stored-response.js';

/** What a test says of a stored response. */
export interface Made {
  readonly key?: string;
  readonly variant?: string;
  readonly status?: number;
  readonly fields?: readonly string[];
  readonly omitted?: readonly string[];
  readonly vary?: readonly string[];
  readonly initialAge?: number;
  readonly arrivedOn?: number;
}

/** A response as the cache stores it: fresh for ten minutes, and anybody's. */
export function stored(made: Made, content: Buffer | string | StoredBody): StoredResponse {
  const { key = 'k', variant = 'v', status = 200, initialAge = 0, arrivedOn = 0 } = made;
  const init = {
    key,
    variant,
    service: 'demo',
    status,
    statusText: '',
    parsed: new ResponseFields(made.fields ?? [], []),
    reuse: {
      lifetime: 600_000,
      implicit: false,
      isPublic: true,
      alwaysValidate: false,
      neverStale: false,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      omitted: made.omitted ?? [],
      vary: made.vary ?? [],
    },
    initialAge,
    arrivedAt: 0,
    arrivedOn,
  };
  return new StoredResponse(init, content);
}
