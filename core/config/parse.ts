import { resolve } from 'node:path';
import { interpolate, type UnresolvedVariable } from './interpolation.js';
import {
  didYouMean,
  type Fault,
  type Mistake,
  mistakeAt,
  quote,
  UnsoundConfigurationError,
} from './mistakes.js';
import { normalForm } from './normal-form.js';
import { Origins } from './origins.js';
import { idleOverrides } from './overrides.js';
import type { Path } from './paths.js';
import { isRequirementsFile, translateRequirements } from './requirements-file.js';
import { REQUIREMENTS_KEY } from './requirements-schema.js';
import { checkRules } from './rules.js';
import { type Settings, SettingsSchema } from './schema.js';
import { compileSchema, deepFreeze } from './validator.js';

/** Where a configuration comes from, and what it may refer to. */
export interface ParseContext {
  /** The name of the file, or of whatever gave the configuration, for messages. */
  readonly source: string;
  /** The folder that relative paths in the configuration start from. */
  readonly baseDirectory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The plugins that ship with the gateway. */
  readonly catalogueNames: readonly string[];
}

/** A configuration that is sound, as far as that can be said before its plugins are loaded. */
export interface ParsedSettings {
  /**
   * Frozen. Options of plugins are still as they were written: text out of variables stays marked in them until
   * `compileOptions` has seen it.
   */
  readonly settings: Settings;
  /** What does not do what the user may expect, one sentence each. */
  readonly warnings: readonly string[];
  /**
   * Turns what `compileOptions` reports into mistakes at the place that the user wrote.
   *
   * @param base where the checked options stand in `settings`, for example `['plugins', 2, 'options']` or
   *   `['services', 'foo', 'plugins', 'cors']`
   */
  readonly mistakes: (base: Path, faults: readonly Fault[]) => Mistake[];
}

/**
 * Makes settings of what a file or a caller gave: variables, the requirements' flat form, short forms, defaults,
 * validation, and the rules that no schema can say.
 *
 * @param raw undefined for no configuration at all: the defaults of the requirements and the environment apply
 * @throws UnsoundConfigurationError with all mistakes but those of the plugins
 */
export function parseSettings(raw: unknown, context: ParseContext): ParsedSettings {
  const { value, unresolved } = interpolate(raw, context.env);
  const missing = unresolved.map((variable) => unresolvedMistake(variable, context.source));
  const origins = new Origins(context.source);
  const flat = isRequirementsFile(value) ? translateRequirements(value, origins, context) : undefined;
  const normal = normalForm(flat === undefined ? value : flat.raw, origins);
  const validated = compileSchema(SettingsSchema, isPluginOption)(normal.value);
  const faults = onePerPlace([
    ...normal.faults,
    ...validated.mistakes,
    ...checkRules(validated.value, context),
  ]);
  const others = faults.map((fault) => origins.mistake(withFlatFormHint(fault)));
  const mistakes = withoutEchoes([...missing, ...(flat?.mistakes ?? []), ...others], missing);
  const report = (base: Path, found: readonly Fault[]) =>
    found.map((fault) => origins.mistake({ ...fault, path: [...base, ...fault.path] }));
  if (mistakes.length > 0) {
    const { baseDirectory } = context;
    throw new UnsoundConfigurationError(mistakes, {
      settings: validated.value,
      mistakes: report,
      baseDirectory,
    });
  }
  // TypeBox derives the type from the schema that has just been checked.
  const settings = validated.value as Settings;
  locateFiles(settings, context.baseDirectory);
  return {
    settings: deepFreeze(settings),
    warnings: [...(flat?.warnings ?? []), ...idleOverrides(validated.value)],
    mistakes: report,
  };
}

/** Makes the files of services absolute: what connects to upstreams does not know where the configuration stands. */
function locateFiles(settings: Settings, baseDirectory: string): void {
  for (const { tls } of Object.values(settings.services)) {
    for (const setting of ['ca', 'cert', 'key'] as const) {
      const file = tls[setting];
      if (file !== undefined) tls[setting] = resolve(baseDirectory, file);
    }
  }
}

/** Whether a JSON pointer leads into the options of a plugin, whose schema is known to the plugin only. */
function isPluginOption(pointer: string): boolean {
  return /^\/(?:plugins\/\d+\/options|(?:services|routes)\/[^/]+\/plugins\/[^/]+)\//.test(pointer);
}

function unresolvedMistake({ path, name, reason }: UnresolvedVariable, file: string): Mistake {
  if (reason === 'missing') {
    const found = `\${${name}}, which is not set`;
    return mistakeAt(file, path, {
      found,
      expected: `the environment variable ${name}, or \${${name}:-default}`,
    });
  }
  if (reason === 'circular') {
    return mistakeAt(file, path, { found: 'an object that contains itself', expected: 'objects that end' });
  }
  const expected = `\${NAME} or \${NAME:-default}; $\${ for a plain "\${"`;
  return mistakeAt(file, path, { found: quote(`\${${name}}`), expected });
}

function withFlatFormHint(fault: Fault): Fault {
  const [key, ...rest] = fault.path;
  if (fault.hint !== undefined || typeof key !== 'string' || rest.length > 0) return fault;
  return { ...fault, ...didYouMean(key, [REQUIREMENTS_KEY]) };
}

/** The first fault of each place: what has the wrong form need not be checked any further. */
function onePerPlace(faults: readonly Fault[]): Fault[] {
  const byPlace = new Map<string, Fault>();
  for (const fault of faults) {
    const place = JSON.stringify(fault.path);
    if (!byPlace.has(place)) byPlace.set(place, fault);
  }
  return [...byPlace.values()];
}

/** Where a variable is missing, nothing is said about the text that it left incomplete. */
function withoutEchoes(mistakes: readonly Mistake[], missing: readonly Mistake[]): Mistake[] {
  const place = ({ file, path }: Mistake) => `${file}\n${path}`;
  const incomplete = new Set(missing.map(place));
  return mistakes.filter((mistake) => missing.includes(mistake) || !incomplete.has(place(mistake)));
}
