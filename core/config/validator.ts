import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Static, TObject, TSchema } from 'typebox';
import { createAjv } from './ajv.js';
import { explainErrors } from './explain.js';
import { Interpolated } from './interpolation.js';
import type { Fault } from './mistakes.js';
import { isRecord, pathOfPointer, pointerTo, valueAt } from './paths.js';

/** What a validator makes of a value. */
export interface Validated<Value> {
  /** A copy with defaults and units put in. Only to be relied on when `mistakes` is empty. */
  readonly value: Value;
  /** Everything that is wrong, with paths relative to the value. */
  readonly mistakes: readonly Fault[];
}

/**
 * Compiles the options of a plugin into a function that checks, completes and freezes them. What it is given is
 * not changed. Keys that the schema does not know are refused, unless it allows additional ones itself. Text out
 * of `${VAR}` becomes a number or a boolean where the schema wants one.
 *
 * @throws Error when the schema itself is not valid (a mistake in the plugin, not in the configuration)
 */
export function compileOptions<Options extends TObject>(
  schema: Options,
): (value: unknown) => Validated<Static<Options>> {
  const validate = compileSchema({ additionalProperties: false, ...schema });
  return (input) => {
    const { value, mistakes } = validate(input ?? {});
    // TypeBox derives the type from the schema that Ajv has just checked: this is where unknown gets its type.
    return { value: deepFreeze(value) as Static<Options>, mistakes };
  };
}

/**
 * Compiles a schema into a function that checks and completes a copy of what it is given.
 *
 * @param isOpaque JSON pointers of places whose interpolated text is left for a validation that knows their schema
 */
export function compileSchema(
  schema: TSchema,
  isOpaque: (pointer: string) => boolean = () => false,
): (value: unknown) => Validated<unknown> {
  const validate = createAjv().compile(schema);
  return (input) => {
    const asText = copy(input, '', isOpaque, new Map());
    const errors = run(validate, asText);
    const converted = convert(errors, input);
    if (converted.size === 0) return { value: asText, mistakes: explainErrors(errors, schema, input) };
    const value = copy(input, '', isOpaque, converted);
    return { value, mistakes: explainErrors(run(validate, value), schema, input) };
  };
}

function run(validate: ValidateFunction, value: unknown): readonly ErrorObject[] {
  return validate(value) ? [] : (validate.errors ?? []);
}

/** What interpolated texts stand for, by JSON pointer, where the schema wants another type than text. */
function convert(errors: readonly ErrorObject[], input: unknown): ReadonlyMap<string, number | boolean> {
  const converted = new Map<string, number | boolean>();
  for (const { keyword, instancePath, parentSchema } of errors) {
    if (keyword !== 'type' || converted.has(instancePath)) continue;
    const written = valueAt(input, pathOfPointer(instancePath, input));
    if (!(written instanceof Interpolated)) continue;
    const value = parentSchema?.type === 'boolean' ? written.toBoolean() : written.toNumber();
    if (value !== undefined) converted.set(instancePath, value);
  }
  return converted;
}

function copy(
  value: unknown,
  pointer: string,
  isOpaque: (pointer: string) => boolean,
  converted: ReadonlyMap<string, unknown>,
): unknown {
  if (value instanceof Interpolated) {
    return isOpaque(pointer) ? value : (converted.get(pointer) ?? value.text);
  }
  if (Array.isArray(value)) {
    return value.map((item, position) => copy(item, `${pointer}/${position}`, isOpaque, converted));
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, child]) => child !== undefined)
      .map(([key, child]) => [key, copy(child, pointerTo(pointer, key), isOpaque, converted)]),
  );
}

/** Freezes lists and plain objects; what a configuration in code holds beside these stays as it is. */
export function deepFreeze<Value>(value: Value): Value {
  if (Array.isArray(value)) value.forEach(deepFreeze);
  else if (isRecord(value)) Object.values(value).forEach(deepFreeze);
  else return value;
  return Object.freeze(value);
}
