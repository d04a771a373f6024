/**
 * Whether an object in a JSON text has two members of one name, also one written with escapes: two parsers could
 * each take another of them (RFC 7519 section 4 lets a parser refuse).
 *
 * @param text valid JSON
 */
export function hasDuplicateMembers(text: string): boolean {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '{':
        open.push(new Set());
        break;
      case '[':
        open.push(undefined);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      case '"': {
        const end = endOfString(text, at);
        const names = open.at(-1);
        // In valid JSON a string before a colon is a member's name.
        if (names !== undefined && isColonNext(text, end)) {
          const name: unknown = JSON.parse(text.slice(at, end));
          if (typeof name !== 'string' || names.has(name)) return true;
          names.add(name);
        }
        at = end - 1;
        break;
      }
      default:
        break;
    }
  }
  return false;
}

/** The position behind the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function isColonNext(text: string, from: number): boolean {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at++;
  return text[at] === ':';
}
