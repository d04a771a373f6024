import { isRecord, type Path } from './paths.js';

/**
 * Text that came out of `${VAR}`. It stays marked until a schema looks at it, because only the schema knows whether
 * `"8080"` is meant as a number there: the environment has no types, the file does.
 */
export class Interpolated extends String {
  readonly text: string;
  /** The variables that were named, set or not. */
  readonly variables: readonly string[];

  constructor(text: string, variables: readonly string[]) {
    super(text);
    this.text = text;
    this.variables = variables;
  }

  /** The number that the text writes; undefined when it is none. */
  toNumber(): number | undefined {
    return /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*$/i.test(this.text) ? Number(this.text) : undefined;
  }

  /** The boolean that the text writes: true, yes, on, 1 and their opposites; undefined when it is none. */
  toBoolean(): boolean | undefined {
    if (/^\s*(?:true|yes|on|1)\s*$/i.test(this.text)) return true;
    return /^\s*(?:false|no|off|0)\s*$/i.test(this.text) ? false : undefined;
  }
}

/** A reference that could not be resolved; also an object that contains itself, as YAML aliases can have it. */
export interface UnresolvedVariable {
  readonly path: Path;
  /** The variable's name, or what stands between the braces where that is no name. */
  readonly name: string;
  readonly reason: 'missing' | 'malformed' | 'circular';
}

/** A configuration with its variables put in. */
export interface InterpolationResult {
  readonly value: unknown;
  readonly unresolved: readonly UnresolvedVariable[];
}

// `${request.id}`: plugins may fill in values of a request at run time, and these have a dot.
const RUNTIME_VALUE = /^[A-Za-z_]\w*(?:\.[\w-]+)+$/;
const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const VARIABLE = /^([A-Za-z_]\w*)(?::-([\s\S]*))?$/;

/**
 * Replaces `${VAR}` and `${VAR:-default}` in every string of a configuration. The default also stands in for a
 * variable that is set to nothing, as in a shell. `$${` gives a plain `${`; names with a dot are left for plugins.
 *
 * @returns a copy in which text with a variable is {@link Interpolated}; every reference that has no value is listed
 */
export function interpolate(
  raw: unknown,
  env: Readonly<Record<string, string | undefined>>,
): InterpolationResult {
  const unresolved: UnresolvedVariable[] = [];

  const inText = (text: string, path: Path): string | Interpolated => {
    if (!text.includes('${')) return text;
    const variables: string[] = [];
    const result = text.replace(REFERENCE, (whole: string, inner: string | undefined) => {
      if (inner === undefined) return '${';
      if (RUNTIME_VALUE.test(inner)) return whole;
      const match = VARIABLE.exec(inner);
      if (match?.[1] === undefined) {
        unresolved.push({ path, name: inner, reason: 'malformed' });
        return whole;
      }
      const [, name, fallback] = match;
      variables.push(name);
      const value = Object.hasOwn(env, name) ? env[name] : undefined;
      if (fallback !== undefined) return value === undefined || value === '' ? fallback : value;
      if (value === undefined) unresolved.push({ path, name, reason: 'missing' });
      return value ?? '';
    });
    return variables.length === 0 ? result : new Interpolated(result, variables);
  };

  const walk = (value: unknown, path: Path, parents: readonly unknown[]): unknown => {
    if (typeof value === 'string') return inText(value, path);
    if (!Array.isArray(value) && !isRecord(value)) return value;
    if (parents.includes(value)) {
      unresolved.push({ path, name: '', reason: 'circular' });
      return undefined;
    }
    const around = [...parents, value];
    if (Array.isArray(value)) return value.map((item, position) => walk(item, [...path, position], around));
    const children = Object.entries(value);
    return Object.fromEntries(children.map(([key, child]) => [key, walk(child, [...path, key], around)]));
  };

  return { value: walk(raw, [], []), unresolved };
}

/** The text of a string, interpolated or not; undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  if (value instanceof Interpolated) return value.text;
  return typeof value === 'string' ? value : undefined;
}
