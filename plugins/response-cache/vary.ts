import type { ResponseFields } from './response-fields.js';

const ANY: readonly string[] = [];

/** A field name in lower case (RFC 9110 section 5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * The request fields that a `Vary` field lists (RFC 9110 section 12.5.5), in lower case, sorted.
 *
 * @returns undefined for `*`, which no request ever matches, and for what lists no names
 */
export function parseVary(field: string): readonly string[] | undefined {
  if (field === '') return ANY;
  const names = new Set<string>();
  for (const part of field.toLowerCase().split(',')) {
    const name = part.trim();
    if (name === '') continue;
    if (name === '*' || !TOKEN.test(name)) return undefined;
    names.add(name);
  }
  return [...names].sort();
}

/**
 * The names of a `Vary` field, and those that it should have listed: an upstream that forgets them would have its answer
 * served in an encoding that a client cannot read, or with the permission that another origin was given.
 */
export function impliedVary(names: readonly string[], fields: ResponseFields): readonly string[] {
  const implied: string[] = [];
  if (fields.contentEncoding !== '' && !names.includes('accept-encoding')) implied.push('accept-encoding');
  if (fields.allowOrigin !== undefined && fields.allowOrigin !== '*' && !names.includes('origin'))
    implied.push('origin');
  return implied.length === 0 ? names : [...names, ...implied].sort();
}

/**
 * A value in the form in which it is compared (RFC 9111 section 4.1): what says the same gives the same text.
 *
 * @param value of the lines that were sent, joined with commas; undefined for an absent field
 */
export function normalised(name: string, value: string | undefined): string {
  if (value === undefined) return '-';
  switch (name) {
    case 'accept-encoding':
      return `=${members(value.toLowerCase()).filter(isWanted).sort().join()}`;
    case 'accept-language':
    case 'accept-charset':
      return `=${members(value.toLowerCase()).sort().join()}`;
    case 'accept':
      // Parameters of media types may tell upper from lower case, and have commas in quoted strings.
      return `=${value.includes('"') ? value : members(value).sort().join()}`;
    default:
      // Blanks mean something in quoted strings, and nothing around the commas of a list.
      return `=${value.includes('"') ? value : value.split(',').map(trimmed).join()}`;
  }
}

function members(value: string): string[] {
  return value.split(',').map((member) => (member.includes(';') ? parameters(member) : member.trim()));
}

function trimmed(member: string): string {
  return member.trim();
}

function parameters(member: string): string {
  return member
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== 'q=1' && part !== 'q=1.0')
    .join(';');
}

/** Whether an encoding is not refused: `gzip, br;q=0` is the same as `gzip`, but `identity;q=0` says something. */
function isWanted(member: string): boolean {
  return member !== '' && (!/;q=0(\.0*)?$/.test(member) || /^(identity|\*)/.test(member));
}
