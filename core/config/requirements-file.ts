import { Interpolated } from './interpolation.js';
import { describeValue, type Fault, type Mistake, mistakeAt } from './mistakes.js';
import type { Origin, Origins } from './origins.js';
import { isRecord, type Path } from './paths.js';
import { planPlugins } from './requirements-plugins.js';
import {
  DEFAULT_SERVICES,
  FlatSchema,
  type FlatSettings,
  REQUIREMENTS_KEY,
  VARIABLES,
} from './requirements-schema.js';
import { SettingsSchema } from './schema.js';
import { compileSchema } from './validator.js';

/** A flat configuration in the terms of `.gatewayrc`. */
export interface TranslatedRequirements {
  readonly raw: Readonly<Record<string, unknown>>;
  readonly mistakes: readonly Mistake[];
  readonly warnings: readonly string[];
}

/** Whether a configuration has the requirements' flat form; no configuration at all counts as an empty one. */
export function isRequirementsFile(value: unknown): boolean {
  return value === undefined || (isRecord(value) && Object.hasOwn(value, REQUIREMENTS_KEY));
}

/** What the translation needs to know beside the file. */
export interface RequirementsContext {
  /** The name of the file. */
  readonly source: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly catalogueNames: readonly string[];
}

/**
 * Translates the requirements' flat keys and environment variables into the settings of `.gatewayrc`, plugins
 * included. Other top-level keys are passed over, because the file may be shared with other services; settings of
 * `.gatewayrc` among them are mistakes.
 *
 * @param file undefined when there is no file: defaults and environment only
 * @param origins learns which flat key or variable each setting comes from
 */
export function translateRequirements(
  file: unknown,
  origins: Origins,
  context: RequirementsContext,
): TranslatedRequirements {
  const given = isRecord(file) ? (file[REQUIREMENTS_KEY] ?? {}) : {};
  if (!isRecord(given)) {
    const fault = { found: describeValue(given, false), expected: 'an object with the flat keys' };
    return { raw: {}, mistakes: [mistakeAt(context.source, [REQUIREMENTS_KEY], fault)], warnings: [] };
  }
  const where = (key: string): Origin => originOf(key, file !== undefined, context);
  const mistakeOf = ({ path: [key, ...rest], ...fault }: Fault): Mistake => {
    const { file: source, path } = where(String(key));
    return mistakeAt(source, [...path, ...rest], fault);
  };

  const validate = compileSchema(FlatSchema);
  const block = withVariables(given, context.env);
  const { mistakes: faults } = validate(block);
  // Without what is wrong, the rest is complete, and can be translated and checked on its own.
  const wrong = new Set(faults.map((fault) => fault.path[0]));
  const sound = Object.fromEntries(Object.entries(block).filter(([key]) => !wrong.has(key)));
  const flat = validate(sound).value as FlatSettings;
  const plan = planPlugins(flat, context.catalogueNames);

  recordOrigin(origins, ['port'], where('port'));
  recordOrigin(origins, ['services'], where('services'));
  recordOrigin(origins, ['logging', 'level'], where('log_level'));
  for (const [position, { flag, keys }] of plan.plugins.entries()) {
    if (flag !== undefined) recordOrigin(origins, ['plugins', position], where(flag));
    for (const [option, key] of Object.entries(keys)) {
      recordOrigin(origins, ['plugins', position, 'options', option], where(key));
    }
  }
  return {
    raw: {
      port: flat.port,
      logging: { level: flat.log_level },
      services: flat.services ?? DEFAULT_SERVICES,
      plugins: plan.plugins.map(({ name, options }) => ({ use: name, options })),
    },
    mistakes: [...misplacedSettings(file, context.source), ...[...faults, ...plan.faults].map(mistakeOf)],
    warnings: plan.warnings,
  };
}

/** The flat keys of the file, with those that a variable gives put in; an empty variable counts as not set. */
function withVariables(
  given: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const block = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  for (const [name, key] of VARIABLES) {
    const text = env[name];
    if (text !== undefined && text !== '') block[key] = new Interpolated(text, [name]);
  }
  const level = block.log_level;
  // Python's levels are also written in lower case.
  if (level instanceof Interpolated)
    block.log_level = new Interpolated(level.text.toUpperCase(), level.variables);
  else if (typeof level === 'string') block.log_level = level.toUpperCase();
  return block;
}

function originOf(key: string, hasFile: boolean, { source, env }: RequirementsContext): Origin {
  const variable = VARIABLES.find(([, flatKey]) => flatKey === key)?.[0];
  const isSet = variable !== undefined && env[variable] !== undefined && env[variable] !== '';
  if (variable !== undefined && (isSet || !hasFile)) return { file: 'the environment', path: [variable] };
  return { file: source, path: [REQUIREMENTS_KEY, key] };
}

function recordOrigin(origins: Origins, path: Path, { file, path: written }: Origin): void {
  origins.record(path, written, file);
}

function misplacedSettings(file: unknown, source: string): Mistake[] {
  if (!isRecord(file)) return [];
  return Object.keys(file)
    .filter((key) => Object.hasOwn(SettingsSchema.properties, key))
    .map((key) => {
      const expected = `only flat keys under ${REQUIREMENTS_KEY}; the other form goes into a file of its own`;
      return mistakeAt(source, [key], { found: 'a setting of .gatewayrc', expected });
    });
}
