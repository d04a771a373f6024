import { readFileSync } from 'node:fs';
import { parse as parseYaml } from 'yaml';
import type { CompiledSchema } from '../compiled-schema.js';
import { pointerTo } from '../findings.js';
import type { MistakeList } from '../mistake-list.js';
import type { SanitiseOptions } from '../options.js';
import {
  changesValues,
  compileBoth,
  createValidators,
  messageOf,
  resolverOf,
  type Validators,
  validateSchema,
} from '../schema-compiler.js';
import { isObject, shapeOf, type TextShape } from '../text-values.js';
import { type OpenApiVersion, withJsonSchemas } from './schemas.js';

/** A part of a document, and where it stands. */
export interface Located {
  readonly node: Readonly<Record<string, unknown>>;
  /** JSON pointer with a leading `#`. */
  readonly at: string;
}

/** The id that the document has among the schemas of a validator. */
const ID = 'openapi';
const MOST_HOPS = 20;

/** An OpenAPI document whose schemas can be compiled. */
export class OpenApiDocument {
  readonly root: Readonly<Record<string, unknown>>;
  readonly mistakes: MistakeList;
  readonly #changing: Validators;
  readonly #plain: Validators;
  readonly #compiled = new Map<string, CompiledSchema | undefined>();

  /**
   * Reads a document, and checks all its schemas.
   *
   * @returns undefined when it cannot be used at all; the mistakes have been listed then
   */
  static read(file: string, changes: SanitiseOptions, mistakes: MistakeList): OpenApiDocument | undefined {
    let root: unknown;
    try {
      const text = readFileSync(file, 'utf8');
      root = file.endsWith('.json') ? JSON.parse(text) : parseYaml(text);
    } catch (error) {
      mistakes.add(
        '',
        `a file that cannot be read: ${messageOf(error)}`,
        'an OpenAPI document in JSON or YAML',
      );
      return undefined;
    }
    const version = isObject(root) ? /^3\.[01](?=\.)/.exec(String(root.openapi))?.[0] : undefined;
    if (!isObject(root) || (version !== '3.0' && version !== '3.1')) {
      mistakes.add('#/openapi', 'another kind of document', 'version 3.0 or 3.1 of OpenAPI');
      return undefined;
    }
    return new OpenApiDocument(root, version, changes, mistakes);
  }

  private constructor(
    root: Readonly<Record<string, unknown>>,
    version: OpenApiVersion,
    changes: SanitiseOptions,
    mistakes: MistakeList,
  ) {
    this.mistakes = mistakes;
    const converted = withJsonSchemas(root, version);
    this.root = converted.root;
    const dialect = version === '3.0' ? 'draft-07' : '2020-12';
    this.#plain = createValidators(dialect);
    this.#changing = changesValues(changes) ? createValidators(dialect, changes) : this.#plain;
    const all = [...new Set([this.#changing, this.#plain])].flatMap(({ quick, thorough }) => [
      quick,
      thorough,
    ]);
    for (const ajv of all) {
      // OpenAPI leaves the list of formats open.
      for (const format of converted.formats)
        if (!Object.hasOwn(ajv.formats, format)) ajv.addFormat(format, true);
      // To Ajv the document is one schema, of which only parts are ever used.
      ajv.addVocabulary(Object.keys(this.root));
      ajv.addSchema(this.root, ID, false, false);
    }
    for (const { node, at } of converted.schemas) validateSchema(this.#plain.thorough, node, at, mistakes);
  }

  /** A part, or what it refers to; undefined, with the mistake listed, when it is no object. */
  resolve(part: unknown, at: string): Located | undefined {
    let node = part;
    let place = at;
    for (let hops = 0; hops < MOST_HOPS && isObject(node); hops++) {
      if (typeof node.$ref !== 'string') return { node, at: place };
      const ref = node.$ref;
      node = resolverOf(this.root)(ref);
      if (node === undefined) {
        this.mistakes.add(`${place}/$ref`, `"${ref}"`, 'a reference to a part of the same document');
        return undefined;
      }
      place = ref;
    }
    this.mistakes.add(place, 'something else', 'an object');
    return undefined;
  }

  /**
   * Compiles a schema of the document.
   *
   * @param changing whether it may change what it checks
   * @returns undefined when it is wrong; the mistakes have been listed then
   */
  compile(at: string, changing: boolean): CompiledSchema | undefined {
    const key = `${changing} ${at}`;
    if (this.#compiled.has(key)) return this.#compiled.get(key);
    let compiled: CompiledSchema | undefined;
    // A schema that is known to be wrong is not reported again in other words.
    if (this.mistakes.count === 0) {
      try {
        const $ref = ID + at.split('/').map(encodeURIComponent).join('/').replace('%23', '#');
        compiled = compileBoth(changing ? this.#changing : this.#plain, { $ref });
      } catch (error) {
        this.mistakes.add(at, `a schema that cannot be used (${messageOf(error)})`, 'a JSON Schema');
      }
    }
    this.#compiled.set(key, compiled);
    return compiled;
  }

  /** The shape of texts that a schema of the document describes. */
  shape(schema: unknown): TextShape {
    return shapeOf(schema, resolverOf(this.root));
  }

  /** The path of the first server (OpenAPI 3.1 section 4.8.5), without a final slash. */
  get basePath(): string {
    const [server] = Array.isArray(this.root.servers) ? this.root.servers : [];
    if (!isObject(server) || typeof server.url !== 'string') return '';
    const { variables } = server;
    const url = server.url.replace(/\{([^{}]+)\}/g, (_whole, name: string) => {
      const variable = isObject(variables) ? variables[name] : undefined;
      return isObject(variable) ? String(variable.default) : '';
    });
    const path = URL.canParse(url, 'http://server/') ? new URL(url, 'http://server/').pathname : '/';
    return path.replace(/\/+$/, '');
  }
}

/** The parts of a map of the document, each with its place. */
export function entriesOf(map: unknown, at: string): [string, unknown, string][] {
  return isObject(map) ? Object.entries(map).map(([key, value]) => [key, value, pointerTo(at, key)]) : [];
}
