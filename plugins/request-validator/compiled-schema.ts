import type { ErrorObject, ValidateFunction } from 'ajv';
import { explain } from './explain.js';
import type { Findings, Place } from './findings.js';

/** What a check may change: the value stands in a holder, so that a value without a parent can be replaced too. */
export interface Holder {
  value: unknown;
}

/**
 * A schema, compiled twice: to find the first fault, and to find all. Most requests are right, and need no more than
 * the first. Listing all faults of a wrong one can cost far more than sending it (a fault per item of a long list,
 * every two items compared), so it is done for small values only.
 */
export class CompiledSchema {
  readonly #quick: ValidateFunction;
  readonly #thorough: ValidateFunction;

  constructor(quick: ValidateFunction, thorough: ValidateFunction) {
    this.#quick = quick;
    this.#thorough = thorough;
  }

  /**
   * Adds the faults of a value to the findings.
   *
   * @param base JSON pointer of the value in its place
   * @param isSmall whether all faults may be looked for
   */
  check(holder: Holder, place: Place, base: string, findings: Findings, isSmall = true): void {
    if (run(this.#quick, holder)) return;
    // Taken before the thorough run: a schema that changes the value may have mended it by then.
    let errors = this.#quick.errors ?? [];
    if (!isSmall) findings.markPartial();
    else if (!run(this.#thorough, holder)) errors = this.#thorough.errors ?? errors;
    for (const error of errors) {
      if (isRepetition(error)) continue;
      const { path, message } = explain(error);
      findings.add(place, base + path, message, error.keyword === 'false schema' ? 'false' : error.keyword);
    }
  }
}

function run(validate: ValidateFunction, holder: Holder): boolean {
  return validate(holder.value, {
    instancePath: '',
    parentData: holder,
    parentDataProperty: 'value',
    rootData: holder,
    dynamicAnchors: {},
  });
}

/** `if` only says that `then` or `else` failed, whose faults are listed. */
function isRepetition({ keyword }: ErrorObject): boolean {
  return keyword === 'if';
}
