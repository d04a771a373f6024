import { RESERVED_SERVICE_NAMES, SERVICE_NAME_PATTERN } from '../config/schema.js';
import { GatewayError } from '../errors.js';

const PATTERN = new RegExp(SERVICE_NAME_PATTERN);

/**
 * Makes sure that a service may have that name.
 *
 * @throws GatewayError BAD_REQUEST whose message says what is expected
 */
export function checkServiceName(name: string): void {
  if (!PATTERN.test(name)) {
    const message =
      `${quoted(name)} cannot be the name of a service: expected 1 to 64 lower-case letters, digits, '.', '_' or '-', ` +
      'with a letter or digit first and last';
    throw new GatewayError('BAD_REQUEST', { message });
  }
  if (RESERVED_SERVICE_NAMES.includes(name)) {
    const message = `'${name}' cannot be the name of a service: the gateway's own routes are under /api/v1/${name}`;
    throw new GatewayError('BAD_REQUEST', { message });
  }
}

function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
}
