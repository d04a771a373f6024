/** Fields that never reach the log, wherever an object that holds them is logged; in lower case. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'proxy-authorization',
  'x-api-key',
  'password',
  'secret',
  'token',
  'key',
  'access_token',
  'refresh_token',
]);

const CENSORED = '[redacted]';

/** Levels of objects in objects that are looked through; what lies deeper is not shown. */
const DEEPEST = 5;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Fields for the log without the secrets among them. Where there are none, which is nearly always, the very same object
 * is given back: no line pays for a copy that it does not need.
 */
export function withoutSecrets(fields: Fields): Record<string, unknown> {
  return censored(fields, 0);
}

function censored(fields: Fields, depth: number): Record<string, unknown> {
  let copy: Record<string, unknown> | undefined;
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    const shown =
      value !== undefined && SECRET_FIELDS.has(name.toLowerCase()) ? CENSORED : show(value, depth);
    if (shown === value) continue;
    copy ??= { ...fields };
    copy[name] = shown;
  }
  return copy ?? fields;
}

function show(value: unknown, depth: number): unknown {
  // Errors are for the serializer, which knows what of them is to be seen; other objects may say it themselves.
  if (typeof value !== 'object' || value === null || value instanceof Error || 'toJSON' in value)
    return value;
  if (depth === DEEPEST) return '[nested too deep]';
  if (!Array.isArray(value)) {
    const fields: Fields = { ...value };
    const shown = censored(fields, depth + 1);
    return shown === fields ? value : shown;
  }
  const items = value.map((item: unknown) => show(item, depth + 1));
  return items.some((item, index) => item !== value[index]) ? items : value;
}
