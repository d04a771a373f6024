import { decodePercent } from './request-view.js';

type Segment =
  | { readonly literal: string }
  | { readonly name: string }
  | { readonly names: readonly string[]; readonly pattern: RegExp };

/**
 * A path with parameters: `/orders/{id}` as in OpenAPI, or `/orders/:id` with a final `/*` as in routes. A parameter
 * stands for one segment, or in OpenAPI for a part of one.
 */
export class PathTemplate {
  readonly text: string;
  readonly names: readonly string[];
  readonly #segments: readonly Segment[];
  readonly #takesRest: boolean;

  private constructor(text: string, segments: readonly Segment[], takesRest: boolean) {
    this.text = text;
    this.#segments = segments;
    this.#takesRest = takesRest;
    this.names = segments.flatMap((segment) =>
      'name' in segment ? [segment.name] : 'names' in segment ? segment.names : [],
    );
  }

  /** Reads a template of OpenAPI. */
  static ofOpenApi(text: string): PathTemplate {
    return new PathTemplate(text, split(text).map(openApiSegment), false);
  }

  /** Reads a pattern as routes have it. */
  static ofRoute(text: string): PathTemplate {
    const takesRest = text.endsWith('/*');
    const segments = split(takesRest ? text.slice(0, -2) : text).map((part) =>
      part.startsWith(':') ? { name: part.slice(1) } : { literal: part },
    );
    return new PathTemplate(text, segments, takesRest);
  }

  /** How many segments it has. */
  get length(): number {
    return this.#segments.length;
  }

  /**
   * @param segments of the path, see {@link split}
   * @returns the parameters, still percent-encoded, or undefined when it does not match
   */
  match(segments: readonly string[]): Record<string, string> | undefined {
    const own = this.#segments;
    if (segments.length !== own.length && !(this.#takesRest && segments.length > own.length))
      return undefined;
    const params: Record<string, string> = Object.create(null);
    for (let i = 0; i < own.length; i++) {
      const segment = own[i];
      const part = segments[i];
      if (segment === undefined || part === undefined || !take(segment, part, params)) return undefined;
    }
    return params;
  }

  /** Orders templates so that a literal segment comes before a parameter (OpenAPI 3.1 section 4.8.8.2). */
  static compare(one: PathTemplate, other: PathTemplate): number {
    for (let i = 0; i < Math.min(one.length, other.length); i++) {
      const difference = rank(one.#segments[i]) - rank(other.#segments[i]);
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

/** The segments of a path, still percent-encoded. */
export function split(path: string): string[] {
  return path.slice(1).split('/');
}

function take(segment: Segment, part: string, params: Record<string, string>): boolean {
  if ('literal' in segment) return segment.literal === part || segment.literal === decodePercent(part);
  if ('name' in segment) {
    params[segment.name] = part;
    return part !== '';
  }
  const found = segment.pattern.exec(part);
  if (found === null) return false;
  for (const [position, name] of segment.names.entries()) params[name] = found[position + 1] ?? '';
  return true;
}

function openApiSegment(text: string): Segment {
  if (!text.includes('{')) return { literal: text };
  const whole = /^\{([^{}]+)\}$/.exec(text);
  if (whole?.[1] !== undefined) return { name: whole[1] };
  const names: string[] = [];
  const pattern = text
    .split(/(\{[^{}]+\})/)
    .map((part) => {
      const name = /^\{([^{}]+)\}$/.exec(part)?.[1];
      if (name === undefined) return part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
      names.push(name);
      return '(.+?)';
    })
    .join('');
  return { names, pattern: new RegExp(`^${pattern}$`, 'su') };
}

function rank(segment: Segment | undefined): number {
  if (segment === undefined || 'literal' in segment) return 0;
  return 'names' in segment ? 1 : 2;
}
