import { Ajv, type AnySchema, type Options } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { CompiledSchema } from './compiled-schema.js';
import type { MistakeList } from './mistake-list.js';
import type { SanitiseOptions } from './options.js';
import { mapSchema } from './schema-walk.js';
import { isObject } from './text-values.js';

/** The versions of JSON Schema. */
export type Dialect = 'draft-07' | '2019-09' | '2020-12';

const NO_CHANGES: SanitiseOptions = {
  trim: false,
  removeAdditional: false,
  defaults: false,
  coerceTypes: false,
};

/** Whether a schema may change what it checks. */
export function changesValues({ removeAdditional, defaults, coerceTypes }: SanitiseOptions): boolean {
  return removeAdditional || defaults || coerceTypes;
}

/** Two validators of one dialect: one stops at the first fault, one finds all. */
export interface Validators {
  readonly quick: Ajv;
  readonly thorough: Ajv;
}

/**
 * Makes validators.
 *
 * @param changes what they may change in a value
 */
export function createValidators(dialect: Dialect, changes: SanitiseOptions = NO_CHANGES): Validators {
  return { quick: createAjv(dialect, changes, false), thorough: createAjv(dialect, changes, true) };
}

function createAjv(dialect: Dialect, changes: SanitiseOptions, allErrors: boolean): Ajv {
  const options: Options = {
    allErrors,
    // Unknown keywords and formats are mistakes; what is merely unusual is not.
    strict: true,
    strictRequired: false,
    strictTypes: false,
    strictTuples: false,
    allowUnionTypes: true,
    allowMatchingProperties: true,
    removeAdditional: changes.removeAdditional,
    useDefaults: changes.defaults,
    coerceTypes: changes.coerceTypes,
    // Done once for all validators, by validateSchema below: it takes longer than compiling.
    validateSchema: false,
    logger: false,
  };
  const ajv =
    dialect === '2020-12'
      ? new Ajv2020(options)
      : dialect === '2019-09'
        ? new Ajv2019(options)
        : new Ajv(options);
  formats.default(ajv);
  return ajv;
}

/** Compiles the schemas that stand in options, and lists what is wrong with them. */
export class SchemaCompiler {
  readonly #changes: SanitiseOptions;
  readonly #mistakes: MistakeList;
  readonly #made = new Map<string, Validators>();

  constructor(changes: SanitiseOptions, mistakes: MistakeList) {
    this.#changes = changes;
    this.#mistakes = mistakes;
  }

  /**
   * @param path where the schema stands, for messages
   * @param changing whether it may change what it checks, as the options say
   * @returns undefined when the schema is wrong; the mistakes have been listed then
   */
  compile(
    schema: Readonly<Record<string, unknown>>,
    path: string,
    changing: boolean,
  ): CompiledSchema | undefined {
    const { quick, thorough } = this.#validators(schema, changing);
    if (!validateSchema(thorough, schema, path, this.#mistakes)) return undefined;
    try {
      return compileBoth({ quick, thorough }, schema);
    } catch (error) {
      this.#mistakes.add(path, `a schema that cannot be used (${messageOf(error)})`, 'a JSON Schema');
      return undefined;
    }
  }

  #validators(schema: Readonly<Record<string, unknown>>, changing: boolean): Validators {
    const dialect = dialectOf(schema);
    const changes = changing && changesValues(this.#changes) ? this.#changes : NO_CHANGES;
    // Two schemas of the same id cannot be in one Ajv; those with ids get one of their own.
    if (JSON.stringify(schema).includes('"$id"')) return createValidators(dialect, changes);
    const key = `${dialect} ${changes === NO_CHANGES}`;
    const made = this.#made.get(key) ?? createValidators(dialect, changes);
    this.#made.set(key, made);
    return made;
  }
}

/** Values of every type, to try a schema with. */
const SAMPLES = [null, true, 0, '', [], {}];

/**
 * Compiles a schema to find the first fault, and to find all.
 *
 * @throws Error when it cannot be used, for example since it refers to itself without end
 */
export function compileBoth({ quick, thorough }: Validators, schema: AnySchema): CompiledSchema {
  const first = quick.compile(schema);
  for (const sample of SAMPLES) first(structuredClone(sample));
  return new CompiledSchema(first, thorough.compile(schema));
}

function dialectOf({ $schema }: Readonly<Record<string, unknown>>): Dialect {
  const name = typeof $schema === 'string' ? $schema : '';
  if (/draft-0[67]/.test(name)) return 'draft-07';
  return name.includes('2019-09') ? '2019-09' : '2020-12';
}

/** Checks a schema against its own rules, and for keywords and formats that mean nothing. */
export function validateSchema(ajv: Ajv, schema: AnySchema, path: string, mistakes: MistakeList): boolean {
  const before = mistakes.count;
  try {
    if (!ajv.validateSchema(schema)) {
      for (const error of ajv.errors ?? []) {
        mistakes.add(
          path + error.instancePath,
          'a value that JSON Schema refuses',
          `one that ${error.message ?? 'is valid'}`,
        );
      }
    }
  } catch (error) {
    mistakes.add(path, `a schema that cannot be used (${messageOf(error)})`, 'a JSON Schema');
  }
  mapSchema(schema, path, (part, at) => {
    for (const keyword of Object.keys(part)) {
      if (!Object.hasOwn(ajv.RULES.keywords, keyword)) {
        mistakes.add(`${at}/${keyword}`, 'an unknown keyword', 'a keyword of JSON Schema');
      }
    }
    if (typeof part.format === 'string' && !Object.hasOwn(ajv.formats, part.format)) {
      mistakes.add(`${at}/format`, 'an unknown format', `one of ${Object.keys(ajv.formats).join(', ')}`);
    }
    const patterns = isObject(part.patternProperties) ? Object.keys(part.patternProperties) : [];
    for (const pattern of [part.pattern, ...patterns].filter((each) => typeof each === 'string')) {
      if (isPattern(pattern)) continue;
      const keyword = pattern === part.pattern ? 'pattern' : 'patternProperties';
      mistakes.add(`${at}/${keyword}`, `"${pattern}"`, 'a regular expression (with the flag "u")');
    }
    return part;
  });
  return mistakes.count === before;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'u');
    return true;
  } catch {
    return false;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a local `$ref` of a schema stands for. */
export function resolverOf(root: unknown): (ref: string) => unknown {
  return (ref) => {
    if (!ref.startsWith('#')) return undefined;
    let node = root;
    for (const key of ref.slice(2).split('/').filter(Boolean)) {
      const name = decodeURIComponent(key).replaceAll('~1', '/').replaceAll('~0', '~');
      node = Array.isArray(node) ? node[Number(name)] : isObject(node) ? node[name] : undefined;
    }
    return node;
  };
}
