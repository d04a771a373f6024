import type { ErrorObject } from 'ajv';
import type { TSchema } from 'typebox';
import { describeSchema, oneOf } from './expectations.js';
import { describeValue, didYouMean, type Fault, isSecretPath } from './mistakes.js';
import { isRecord, type Path, pathOfPointer, valueAt } from './paths.js';

/**
 * Says what Ajv found in words for the author of a configuration.
 *
 * @param errors of an Ajv with `verbose`
 * @param input what was validated, as it was before defaults and units were put in
 */
export function explainErrors(errors: readonly ErrorObject[], schema: TSchema, input: unknown): Fault[] {
  const faults = new Map<string, Fault>();
  for (const error of withoutBranches(errors)) {
    const fault = explain(error, schema, input);
    const key = JSON.stringify(fault.path);
    // One fault a place is enough: text of a wrong type also has a wrong length.
    if (!faults.has(key)) faults.set(key, fault);
  }
  return [...faults.values()];
}

function explain(error: ErrorObject, schema: TSchema, input: unknown): Fault {
  const at = pathOfPointer(error.instancePath, input);
  const params: Record<string, unknown> = error.params;
  const own: unknown = error.parentSchema;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(params.additionalProperty);
      const known = isRecord(own) && isRecord(own.properties) ? Object.keys(own.properties) : [];
      const expected = known.length === 0 ? 'no such key' : oneOf(known);
      return { path: [...at, key], found: 'an unknown key', expected, ...didYouMean(key, known) };
    }
    case 'required': {
      const key = String(params.missingProperty);
      const wanted = isRecord(own) && isRecord(own.properties) ? own.properties[key] : undefined;
      return { path: [...at, key], found: 'nothing', expected: describeSchema(wanted) };
    }
    case 'uniqueItems':
      return { path: at, found: 'an entry that stands there twice', expected: 'a list without repetitions' };
    default: {
      const value = valueAt(input, at);
      const secret = isSecretPath(at) || isSecretSchema(schema, at) || (isRecord(own) && own.secret === true);
      const hint =
        isRecord(own) && Array.isArray(own.enum) ? didYouMean(String(value), own.enum.map(String)) : {};
      return {
        path: at,
        found: describeValue(value, secret),
        expected: describeSchema(own),
        ...(secret ? {} : hint),
      };
    }
  }
}

/**
 * Where a value fits none of several branches, Ajv reports the errors of each. Keeps those of the one branch that
 * was meant, if that can be told, and otherwise only that none fits.
 */
// Ajv reports a choice after its branches, so that the last one is the outermost.
function withoutBranches(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const choice = errors.findLast((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf');
  if (choice === undefined) return errors;
  const isBelow = (error: ErrorObject) =>
    error.schemaPath.startsWith(`${choice.schemaPath}/`) &&
    error.instancePath.startsWith(choice.instancePath);
  const others = errors.filter((error) => error !== choice && !isBelow(error));
  const branches = new Map<string, ErrorObject[]>();
  for (const error of errors.filter(isBelow)) {
    const branch = error.schemaPath.slice(choice.schemaPath.length + 1).split('/', 1)[0] ?? '';
    branches.set(branch, [...(branches.get(branch) ?? []), error]);
  }
  const meant = [...branches.values()].filter((branch) => !branch.some((error) => rulesOut(error, choice)));
  const [only] = meant;
  return [
    ...withoutBranches(others),
    ...(meant.length === 1 && only !== undefined ? withoutBranches(only) : [{ ...choice, keyword: 'none' }]),
  ];
}

/** Whether an error shows that a branch was not the one meant: a wrong type, or another value of its `const`. */
function rulesOut(error: ErrorObject, choice: ErrorObject): boolean {
  if (error.keyword === 'const') return true;
  return error.instancePath === choice.instancePath && (error.keyword === 'type' || error.keyword === 'enum');
}

/** Whether a schema declares what stands at a path, or something it is part of, a secret. */
function isSecretSchema(schema: unknown, path: Path): boolean {
  if (!isRecord(schema)) return false;
  if (schema.secret === true) return true;
  const branches = [schema.anyOf, schema.oneOf, schema.allOf].flat().filter(isRecord);
  if (branches.some((branch) => isSecretSchema(branch, path))) return true;
  const [segment, ...rest] = path;
  if (segment === undefined) return false;
  if (typeof segment === 'number') return isSecretSchema(schema.items, rest);
  if (isRecord(schema.properties) && Object.hasOwn(schema.properties, segment)) {
    return isSecretSchema(schema.properties[segment], rest);
  }
  const patterns = isRecord(schema.patternProperties) ? Object.values(schema.patternProperties) : [];
  return [...patterns, schema.additionalProperties].some((child) => isSecretSchema(child, rest));
}
