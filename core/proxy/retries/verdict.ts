import { ERRORS, isGatewayError } from '../../errors.js';
import type { UpstreamResponse } from '../upstream-response.js';
import { isOwnFault } from './failure.js';

/** What an attempt says of its target: it works, it fails, or nothing. */
export type Verdict = 'works' | 'fails' | 'nothing';

/** The verdict on a target by the response that it gave, once that has a head or has failed. */
export function verdictOn(response: UpstreamResponse): Verdict {
  if (response.headAt !== 0) return response.status < 500 ? 'works' : 'fails';
  const { error } = response;
  if (error === undefined || isOwnFault(error)) return 'nothing';
  return verdictOnFailure(error);
}

/** The verdict on a target by what an attempt failed of. Clients that leave or send too much are none of its doing. */
export function verdictOnFailure(failure: unknown): Verdict {
  return isGatewayError(failure) && ERRORS[failure.code].blame !== 'upstream' ? 'nothing' : 'fails';
}
