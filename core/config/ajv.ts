import { Ajv, type AnySchemaObject } from 'ajv';
import type { DataValidationCxt } from 'ajv/dist/types/index.js';
import ipaddr from 'ipaddr.js';
import { isRecord } from './paths.js';
import { parseDuration, parseSize } from './units.js';

/**
 * An Ajv that knows the schemas of this gateway: it reports all errors, puts defaults in, replaces durations by
 * milliseconds and sizes by bytes, and refuses keywords that it does not know. It changes what it validates.
 * Formats: `upstream-origin`, `host-pattern`, `cidr`, `uri` (with a scheme), `regex`.
 */
export function createAjv(): Ajv {
  const ajv = new Ajv({
    allErrors: true,
    useDefaults: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    verbose: true,
  });
  ajv.addKeyword({ keyword: 'secret', schemaType: 'boolean' });
  ajv.addKeyword({
    keyword: 'gatewayDuration',
    schemaType: ['boolean', 'object'],
    modifying: true,
    errors: false,
    validate: (limits: unknown, data: unknown, _schema?: AnySchemaObject, context?: DataValidationCxt) => {
      const milliseconds = parseDuration(data);
      if (milliseconds === undefined || !isWithin(milliseconds, limits)) return false;
      replace(context, milliseconds);
      return true;
    },
  });
  ajv.addKeyword({
    keyword: 'gatewaySize',
    schemaType: 'boolean',
    modifying: true,
    errors: false,
    validate: (_on: boolean, data: unknown, _schema?: AnySchemaObject, context?: DataValidationCxt) => {
      const bytes = parseSize(data);
      if (bytes === undefined || !Number.isSafeInteger(bytes)) return false;
      replace(context, bytes);
      return true;
    },
  });
  ajv.addFormat('upstream-origin', isUpstreamOrigin);
  ajv.addFormat('host-pattern', HOST_PATTERN);
  ajv.addFormat('cidr', isAddressOrRange);
  ajv.addFormat('uri', (text: string) => URL.canParse(text));
  ajv.addFormat('regex', isRegularExpression);
  return ajv;
}

/** Whether text is the origin of an upstream: `http:` or `https:`, a host, perhaps a port, and nothing else. */
function isUpstreamOrigin(text: string): boolean {
  if (!/^https?:\/\/[^/?#@\\\s]+\/?$/i.test(text) || !URL.canParse(text)) return false;
  // Port 0 is a valid URL, and no port that anything listens on.
  return new URL(text).port !== '0';
}

/** A host name, perhaps with `*.` in front, or an IPv6 address in brackets; see routing/hosts.ts for what it is compared with. */
const HOST_PATTERN = /^(?:(?:\*\.)?[\w-]+(?:\.[\w-]+)*|\[[\da-f:.]+\])$/i;

/** Whether text is an IPv4 or IPv6 address, or a range of them in CIDR notation (RFC 4632). */
function isAddressOrRange(text: string): boolean {
  return text.includes('/')
    ? ipaddr.isValidCIDR(text)
    : ipaddr.IPv6.isValid(text) || ipaddr.IPv4.isValidFourPartDecimal(text);
}

function isRegularExpression(text: string): boolean {
  try {
    new RegExp(text);
    return true;
  } catch {
    return false;
  }
}

function isWithin(milliseconds: number, limits: unknown): boolean {
  if (!isRecord(limits)) return true;
  const { minimum, maximum } = limits;
  return !(
    (typeof minimum === 'number' && milliseconds < minimum) ||
    (typeof maximum === 'number' && milliseconds > maximum)
  );
}

function replace(context: DataValidationCxt | undefined, value: number): void {
  if (context !== undefined) Reflect.set(context.parentData, context.parentDataProperty, value);
}
