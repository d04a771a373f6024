import type { Dispatcher } from 'undici';
import type { HealthSettings } from '../config/service-schema.js';

/** The most that is read of the body of a check, in bytes. */
const MAX_BODY = 64 * 1024;

/**
 * Asks a target how it is, and resolves with the status of the response when its body has been read. Rejects when the
 * target cannot be asked, and when `signal` is aborted.
 */
export type Probe = (
  target: { readonly url: string; readonly dispatcher: Dispatcher },
  path: string,
  signal: AbortSignal,
) => Promise<number>;

/** Sends a GET by the dispatcher it is given, so that TLS and connection settings are checked too. */
export const httpProbe: Probe = async ({ url, dispatcher }, path, signal) => {
  const { statusCode, body } = await dispatcher.request({
    origin: url,
    path,
    method: 'GET',
    headers: { accept: '*/*', 'user-agent': 'api-gateway-health-check' },
    signal,
  });
  await body.dump({ limit: MAX_BODY, signal });
  return statusCode;
};

/** Whether a status is one of those that count as healthy: `2xx`, `204` or `200-399` each. */
export function statusMatcher(expected: HealthSettings['status']): (status: number) => boolean {
  const accepted = new Set<number>();
  for (const form of expected) {
    const [from = '', to = from] = form.split('-');
    const first = Number(from.replace('xx', '00'));
    const last = Number(to.replace('xx', '99'));
    for (let status = first; status <= last; status++) accepted.add(status);
  }
  return (status) => accepted.has(status);
}

/** Why a check failed, short and without addresses: `connect ECONNREFUSED` for example. */
export function failureReason(error: unknown): string {
  // Node tries all addresses of a name, and collects the failures.
  if (error instanceof AggregateError && error.errors.length > 0) return failureReason(error.errors[0]);
  if (!(error instanceof Error)) return 'failed';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return 'connect timeout';
  return 'syscall' in error && typeof error.syscall === 'string' ? `${error.syscall} ${code}` : code;
}
