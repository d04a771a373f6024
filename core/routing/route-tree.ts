/** One way through the tree: a pattern, what must hold beside the path, and what it leads to. */
export interface TreeEntry<T> {
  /** `/q/:symbol` for one segment, a final `/*` for the rest (also an empty one). Normalised as paths are. */
  readonly pattern: string;
  /** The highest wins among all patterns that match; then the more specific one. */
  readonly priority: number;
  readonly value: T;
}

/** What the tree found. */
export interface TreeMatch<T> {
  readonly value: T;
  /** Values of the pattern's parameters, still percent-encoded; `*` for the rest. */
  readonly params: Readonly<Record<string, string>>;
}

interface Leaf<T> {
  readonly value: T;
  readonly priority: number;
  readonly names: readonly string[];
}

class Node<T> {
  readonly literals = new Map<string, Node<T>>();
  parameter: Node<T> | undefined;
  /** Leaves of patterns that end here. */
  readonly exact: Leaf<T>[] = [];
  /** Leaves of patterns that end in `/*` here. */
  readonly rest: Leaf<T>[] = [];
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});

/**
 * Routes by path, one tree level per segment: the cost of a look-up grows with the depth of the path, not with the
 * number of routes. Where several patterns match, a literal segment beats a parameter and a parameter beats `*`,
 * from left to right; a higher priority beats that. Built once per generation, then only read.
 */
export class RouteTree<T> {
  readonly #root = new Node<T>();
  #highest = Number.NEGATIVE_INFINITY;

  constructor(entries: Iterable<TreeEntry<T>> = []) {
    for (const entry of entries) this.add(entry);
  }

  /** Adds an entry. Entries with the same pattern and priority are tried in the order they were added. */
  add(entry: TreeEntry<T>): void {
    const segments = entry.pattern.split('/').slice(1);
    const names: string[] = [];
    let node = this.#root;
    let leaves: Leaf<T>[] | undefined;
    for (const [index, segment] of segments.entries()) {
      if (segment === '*' && index === segments.length - 1) {
        leaves = node.rest;
        names.push('*');
      } else if (segment.startsWith(':')) {
        node.parameter ??= new Node<T>();
        node = node.parameter;
        names.push(segment.slice(1));
      } else {
        let child = node.literals.get(segment);
        if (!child) {
          child = new Node<T>();
          node.literals.set(segment, child);
        }
        node = child;
      }
    }
    leaves ??= node.exact;
    leaves.push({ value: entry.value, priority: entry.priority, names });
    leaves.sort((a, b) => b.priority - a.priority);
    this.#highest = Math.max(this.#highest, entry.priority);
  }

  /**
   * The best entry for `path` that `accepts` agrees to, or undefined.
   *
   * @param path normalised, starting with `/`
   */
  find<C>(path: string, accepts: (value: T, subject: C) => boolean, subject: C): TreeMatch<T> | undefined {
    const search = new Search<T, C>(path, accepts, subject, this.#highest);
    search.visit(this.#root, 1, 0);
    return search.found ? { value: search.found.value, params: search.params } : undefined;
  }
}

/** One look-up under way: walks the tree depth first, most specific branch first. */
class Search<T, C> {
  found: Leaf<T> | undefined;
  params: Readonly<Record<string, string>> = NO_PARAMS;
  readonly #path: string;
  readonly #accepts: (value: T, subject: C) => boolean;
  readonly #subject: C;
  readonly #highest: number;
  /** Values of the parameters on the branch being walked. */
  readonly #values: string[] = [];

  constructor(path: string, accepts: (value: T, subject: C) => boolean, subject: C, highest: number) {
    this.#path = path;
    this.#accepts = accepts;
    this.#subject = subject;
    this.#highest = highest;
  }

  /**
   * @param from where the next segment starts in the path; past its end when there is none left
   * @param depth how many parameter values the branch has so far
   * @returns true when nothing better can be found
   */
  visit(node: Node<T>, from: number, depth: number): boolean {
    const path = this.#path;
    if (from > path.length) {
      // '/a' does not stand for '/a/', but a final '/*' takes the empty rest as well.
      return this.#take(node.exact, depth) || (node.rest.length > 0 && this.#takeRest(node, '', depth));
    }
    const slash = path.indexOf('/', from);
    const end = slash === -1 ? path.length : slash;
    const segment = path.slice(from, end);
    const literal = node.literals.get(segment);
    if (literal && this.visit(literal, end + 1, depth)) return true;
    if (node.parameter && segment !== '') {
      this.#values[depth] = segment;
      if (this.visit(node.parameter, end + 1, depth + 1)) return true;
    }
    return node.rest.length > 0 && this.#takeRest(node, path.slice(from), depth);
  }

  #takeRest(node: Node<T>, rest: string, depth: number): boolean {
    this.#values[depth] = rest;
    return this.#take(node.rest, depth + 1);
  }

  #take(leaves: readonly Leaf<T>[], depth: number): boolean {
    for (const leaf of leaves) {
      if (this.found && leaf.priority <= this.found.priority) return false;
      if (!this.#accepts(leaf.value, this.#subject)) continue;
      this.found = leaf;
      if (depth === 0) {
        this.params = NO_PARAMS;
      } else {
        const params: Record<string, string> = {};
        for (let i = 0; i < depth; i++) params[leaf.names[i] ?? ''] = this.#values[i] ?? '';
        this.params = params;
      }
      return leaf.priority >= this.#highest;
    }
    return false;
  }
}
