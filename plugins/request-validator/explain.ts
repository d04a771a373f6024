import type { ErrorObject } from 'ajv';
import { pointerTo } from './findings.js';

/** Most characters of the schema's own text that a message shows. */
const MOST_SHOWN = 120;

/** What a schema's fault is called in the answer: built from the schema alone, never from the value. */
export function explain(error: ErrorObject): { path: string; message: string } {
  const params: Record<string, unknown> = error.params;
  const path = error.instancePath;
  switch (error.keyword) {
    case 'required':
    case 'dependentRequired':
    case 'dependencies':
      return { path: pointerTo(path, String(params.missingProperty)), message: 'expected a value' };
    case 'additionalProperties':
    case 'unevaluatedProperties': {
      const name = params.additionalProperty ?? params.unevaluatedProperty;
      return { path: pointerTo(path, String(name)), message: 'expected no such property' };
    }
    case 'propertyNames':
      return { path: pointerTo(path, String(params.propertyName)), message: 'expected another name' };
    default:
      return { path, message: `expected ${expectation(error.keyword, params)}` };
  }
}

function expectation(keyword: string, params: Record<string, unknown>): string {
  const limit = Number(params.limit);
  switch (keyword) {
    case 'type':
      return [params.type].flat().join(' or ');
    case 'enum':
      return `one of ${cut(JSON.stringify(params.allowedValues).slice(1, -1))}`;
    case 'const':
      return show(params.allowedValue);
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
    case 'exclusiveMaximum':
      return `a number ${params.comparison} ${limit}`;
    case 'multipleOf':
      return `a multiple of ${params.multipleOf}`;
    case 'minLength':
      return `at least ${count(limit, 'character')}`;
    case 'maxLength':
      return `at most ${count(limit, 'character')}`;
    case 'pattern':
      return `text that matches ${cut(String(params.pattern))}`;
    case 'format':
      return `the format ${params.format}`;
    case 'minItems':
      return `at least ${count(limit, 'item')}`;
    case 'maxItems':
      return `at most ${count(limit, 'item')}`;
    case 'uniqueItems':
      return 'no two items that are equal';
    case 'contains':
      return `at least ${count(Number(params.minContains ?? 1), 'item')} of a certain kind`;
    case 'minProperties':
      return `at least ${params.limit} properties`;
    case 'maxProperties':
      return `at most ${params.limit} properties`;
    case 'anyOf':
      return 'a value that fits one of several schemas';
    case 'oneOf':
      return 'a value that fits exactly one of several schemas';
    case 'not':
      return 'a value that does not fit a certain schema';
    case 'unevaluatedItems':
    case 'items':
    case 'additionalItems':
      return 'no more items';
    case 'false schema':
      return 'nothing here';
    default:
      return `a value that satisfies ${keyword}`;
  }
}

function count(amount: number, unit: string): string {
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

function show(value: unknown): string {
  return cut(JSON.stringify(value) ?? 'nothing');
}

function cut(text: string): string {
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}…`;
}
