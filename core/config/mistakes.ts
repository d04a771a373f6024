import { distance } from 'fastest-levenshtein';
import { Interpolated } from './interpolation.js';
import { formatPath, isRecord, type Path } from './paths.js';

/** One thing that is wrong, at a path relative to what was checked. */
export interface Fault {
  readonly path: Path;
  /** What stands there, for people; a secret is never in it. */
  readonly found: string;
  readonly expected: string;
  /** The likely remedy: `did you mean "health"?`. */
  readonly hint?: string;
}

/** One mistake of a configuration, in the terms of what its author wrote. */
export interface Mistake {
  /** The file as the user knows it, or `the environment`. */
  readonly file: string;
  /** `services.foo.targets[1].weight`; empty for the file as a whole. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
  readonly hint?: string;
}

/** A configuration that cannot be used. Its message lists all mistakes, one line each. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly mistakes: readonly Mistake[];

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(formatMistake).join('\n'));
    this.mistakes = mistakes;
  }
}

/** Settings that plugins can be checked by; where they are not sound, as far as that goes. */
export interface Draft {
  /** Parts that are not what they should be are to be passed over. */
  readonly settings: unknown;
  /** Turns faults below a place in the settings into mistakes at the place that the user wrote. */
  readonly mistakes: (base: Path, faults: readonly Fault[]) => Mistake[];
  /** The folder that relative paths start from. */
  readonly baseDirectory: string;
}

/** A configuration that was refused before its plugins were looked at. */
export class UnsoundConfigurationError extends ConfigurationError {
  readonly draft: Draft;

  constructor(mistakes: readonly Mistake[], draft: Draft) {
    super(mistakes);
    this.draft = draft;
  }
}

/** A setting that turns out to be wrong when it is used: a file that cannot be read, for example. */
export class SettingError extends Error {
  /** With the path from the top of the settings. */
  readonly fault: Fault;

  constructor(fault: Fault, cause: unknown) {
    super(`${formatPath(fault.path)}: found ${fault.found}, expected ${fault.expected}`, { cause });
    this.fault = fault;
  }
}

/** `.gatewayrc.yaml: services.foo.targets[1].weight: found "two", expected an integer from 0 to 1000`. */
export function formatMistake(mistake: Mistake): string {
  const where = mistake.path === '' ? mistake.file : `${mistake.file}: ${mistake.path}`;
  const hint = mistake.hint === undefined ? '' : `; ${mistake.hint}`;
  return `${where}: found ${mistake.found}, expected ${mistake.expected}${hint}`;
}

/** A mistake at a place that is named as it is written. */
export function mistakeAt(file: string, path: Path, fault: Omit<Fault, 'path'>): Mistake {
  const { found, expected, hint } = fault;
  return { file, path: formatPath(path), found, expected, ...(hint === undefined ? {} : { hint }) };
}

/** The `hint` of a fault, where one of the candidates is near what was written. */
export function didYouMean(written: string, candidates: Iterable<string>): { hint?: string } {
  const near = nearest(written, candidates);
  return near === undefined ? {} : { hint: `did you mean "${near}"?` };
}

/** The candidate that differs by a third of its letters, or by two swapped ones; undefined when there is none. */
function nearest(written: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const edits = distance(written.toLowerCase(), candidate.toLowerCase());
    if (edits < least && edits <= mostEdits(candidate)) {
      best = candidate;
      least = edits;
    }
  }
  return best;
}

function mostEdits({ length }: string): number {
  return length < 4 ? 1 : Math.max(2, Math.floor(length / 3));
}

const SECRET_WORD = /secret|token|passw(?:or)?d|passphrase|credential|key(?!alive)/i;

/** Whether a key or a variable of this name is likely to hold a secret. */
export function looksSecret(name: string): boolean {
  return SECRET_WORD.test(name);
}

/** Whether a key on the way looks like a secret's; names of services and plugins are no such keys. */
export function isSecretPath(path: Path): boolean {
  return path.some((segment, position) => {
    if (typeof segment === 'number') return false;
    const parent = typeof path[position - 1] === 'number' ? path[position - 2] : path[position - 1];
    return parent !== 'services' && parent !== 'plugins' && looksSecret(segment);
  });
}

/**
 * A value for a message: short, on one line, never the contents of an object and never a secret.
 *
 * @param secret whether the place is one where secrets stand
 */
export function describeValue(value: unknown, secret: boolean): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (value instanceof Interpolated) {
    const hidden = secret || value.variables.some(looksSecret);
    const origin = value.variables.map((name) => `\${${name}}`).join(', ');
    return `${hidden ? 'a value that is not shown' : quote(value.text)} (from ${origin})`;
  }
  if (isRecord(value)) return Object.keys(value).length === 0 ? 'an empty object' : 'an object';
  if (secret) return `a ${typeof value} that is not shown`;
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return `a ${typeof value}`;
}

/** Text in quotes, cut to a line's length, and without the credentials that a URL may hold. */
export function quote(text: string): string {
  const open = text.replace(/\/\/[^/?#]*@/g, '//***@');
  return JSON.stringify(open.length > 80 ? `${open.slice(0, 77)}...` : open);
}
