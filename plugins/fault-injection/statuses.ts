import { ERRORS, type ErrorCode } from '../../core/index.js';

/** How a request is aborted: with a status of the error table, or by breaking its connection off. */
export type AbortStatus = number | 'reset';

/** The code that stands for each status of the error table; the first where several have it. */
export const CODES: ReadonlyMap<number, ErrorCode> = codes();

/** Everything that a request can be aborted with. */
export const ABORT_STATUSES: readonly AbortStatus[] = ['reset', ...CODES.keys()];

function codes(): Map<number, ErrorCode> {
  const found = new Map<number, ErrorCode>();
  for (const code of Object.keys(ERRORS)) {
    if (!isCode(code)) continue;
    const { status } = ERRORS[code];
    if (!found.has(status)) found.set(status, code);
  }
  return found;
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}
