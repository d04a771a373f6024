import { distance } from 'fastest-levenshtein';
import type { Exchange } from '../../core/index.js';

/** Gives a value of a request; undefined where it has none. */
type Variable = (exchange: Exchange) => string | undefined;

/** What may stand in `${…}`, beside `header.<name>`. */
const VARIABLES: ReadonlyMap<string, Variable> = new Map<string, Variable>([
  ['request.id', ({ requestId }) => requestId],
  ['request.method', ({ req }) => req.method],
  ['request.path', ({ path }) => path],
  ['request.host', ({ host }) => host],
  ['request.scheme', ({ scheme }) => scheme],
  ['client.address', ({ clientAddress }) => clientAddress],
  ['consumer.id', ({ consumer }) => consumer?.id],
  ['service.name', ({ service }) => service.name],
  ['route.id', ({ route }) => route.id],
  // Short forms. In a file they need `$${`: the configuration takes names without a dot for environment variables.
  ['service', ({ service }) => service.name],
  ['route', ({ route }) => route.id],
]);

const HEADER = 'header.';
const REFERENCE = /\$\{([^}]*)\}/g;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** What cannot stand in a field's value (RFC 9110 section 5.5); CR and LF among it. */
const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/;
const EACH_UNSAFE = /[^\t\x20-\x7e\x80-\xff]/gu;

/** What is wrong with a template. */
export interface TemplateFault {
  readonly found: string;
  readonly expected: string;
  readonly hint?: string;
}

/** A field's value with `${…}` in it, taken apart once. */
export class Template {
  readonly #parts: readonly (string | Variable)[];
  readonly #constant: string | undefined;

  private constructor(parts: readonly (string | Variable)[]) {
    this.#parts = parts;
    this.#constant = parts.every((part) => typeof part === 'string') ? parts.join('') : undefined;
  }

  /** Takes `text` apart; a fault where it names a variable that there is not, or could not stand in a field. */
  static parse(text: string): Template | TemplateFault {
    const parts: (string | Variable)[] = [];
    let end = 0;
    for (const match of text.matchAll(REFERENCE)) {
      const [whole, name = ''] = match;
      const variable = variableOf(name);
      if (variable === undefined) return unknownVariable(name);
      if (match.index > end) parts.push(text.slice(end, match.index));
      parts.push(variable);
      end = match.index + whole.length;
    }
    if (end < text.length) parts.push(text.slice(end));
    const literal = parts.find((part) => typeof part === 'string' && UNSAFE.test(part));
    if (literal !== undefined) {
      return { found: JSON.stringify(text), expected: 'text of one line, in Latin-1' };
    }
    return new Template(parts);
  }

  /** The value for a request; empty where all its variables have none and there is no other text. */
  render(exchange: Exchange): string {
    if (this.#constant !== undefined) return this.#constant;
    let text = '';
    for (const part of this.#parts) text += typeof part === 'string' ? part : (part(exchange) ?? '');
    return UNSAFE.test(text) ? text.replace(EACH_UNSAFE, percentEncode) : text;
  }
}

function variableOf(name: string): Variable | undefined {
  if (!name.startsWith(HEADER)) return VARIABLES.get(name);
  const field = name.slice(HEADER.length).toLowerCase();
  return TOKEN.test(field) ? ({ req }) => joined(req.headers[field]) : undefined;
}

function joined(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value;
}

/** UTF-8, percent-encoded (RFC 3986 section 2.1): nothing is lost, and no line ends early. */
function percentEncode(character: string): string {
  let encoded = '';
  for (const byte of Buffer.from(character)) {
    encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

function unknownVariable(name: string): TemplateFault {
  const known = [...VARIABLES.keys()];
  const near = known
    .map((candidate) => ({ candidate, edits: distance(name.toLowerCase(), candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.max(2, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.edits - b.edits)[0];
  return {
    found: `\${${name}}`,
    expected: `a variable: ${known.join(', ')}, or header.<name>`,
    ...(near === undefined ? {} : { hint: `did you mean "\${${near.candidate}}"?` }),
  };
}
