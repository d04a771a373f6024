/** Header fields that tell the upstream who calls: names in lower case, and values. */
export type IdentityHeaders = readonly (readonly [name: string, value: string])[];

/** The fields for one consumer. Fields without a value are left out. */
export function identityHeaders(
  id: string,
  scopes: ReadonlySet<string>,
  roles: ReadonlySet<string>,
  authenticatedBy: string,
): IdentityHeaders {
  const fields: [string, string][] = [
    ['x-consumer-id', encode(id)],
    ['x-authenticated-by', authenticatedBy],
  ];
  if (scopes.size > 0) fields.push(['x-consumer-scopes', [...scopes].map(encode).join(' ')]);
  if (roles.size > 0) fields.push(['x-consumer-roles', [...roles].map(encode).join(' ')]);
  return fields;
}

/** Percent-encodes whatever is no visible ASCII character, and the percent sign, so that no two texts become one. */
function encode(text: string): string {
  return text.replace(/[^\x21-\x24\x26-\x7e]+/g, encodeURIComponent);
}
