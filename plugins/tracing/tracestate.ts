/** W3C Trace Context section 3.3.1.1: at most so many members. */
const MOST_MEMBERS = 32;

/** Section 3.3.1.5: what every system passes on; longer ones are cut between members. */
const MOST_CHARACTERS = 512;

/** The members that go first then. */
const LONG_MEMBER = 128;

const KEY = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads `tracestate` (W3C Trace Context section 3.3), which is passed on as it came: the gateway has nothing to add.
 *
 * @param fields the values of all fields of that name, in their order
 * @returns undefined for one that is malformed or says nothing; it is passed on to nobody
 */
export function readTraceState(fields: readonly string[]): string | undefined {
  const members: string[] = [];
  const keys = new Set<string>();
  for (const part of fields.join(',').split(',')) {
    const member = part.replace(/^[ \t]+|[ \t]+$/g, '');
    if (member === '') continue;
    const equals = member.indexOf('=');
    const key = member.slice(0, Math.max(equals, 0));
    if (!KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || keys.has(key)) return undefined;
    keys.add(key);
    members.push(member);
  }
  if (members.length === 0 || members.length > MOST_MEMBERS) return undefined;
  return shortened(members).join(',');
}

function shortened(members: string[]): string[] {
  while (members.join(',').length > MOST_CHARACTERS) {
    const long = members.findLastIndex((member) => member.length > LONG_MEMBER);
    members.splice(long === -1 ? members.length - 1 : long, 1);
  }
  return members;
}
