import type { Findings } from './findings.js';
import { type Scan, type ScanKeyword, type ScanRules, scanJson } from './json-scan.js';

/** What JSON text holds. */
export interface JsonText {
  readonly value: unknown;
  /** No fewer than the values in it. */
  readonly values: number;
  /** Whether a key that leads to a prototype was taken out. */
  readonly wasStripped: boolean;
}

const MESSAGES: Readonly<Record<Exclude<ScanKeyword, 'maxDepth'>, string>> = {
  duplicateKeys: 'expected each key once',
  prototypeKeys: 'expected no such key',
  inexactNumber: 'expected a number that a double can hold (IEEE 754 binary64)',
};

/**
 * Reads JSON text.
 *
 * @param strip whether keys that lead to a prototype are taken out instead of being faults
 * @returns undefined when it is no JSON, or is not to be read; the faults have been added then
 */
export function readJson(
  text: string,
  rules: ScanRules,
  strip: boolean,
  findings: Findings,
): JsonText | undefined {
  const scan = scanJson(text, rules);
  const wasStripped = strip && scan.faults.some(({ keyword }) => keyword === 'prototypeKeys');
  if (scan.isPartial) findings.markPartial();
  const isReadable = addFaults(scan, strip, rules.maxDepth, findings);
  if (!isReadable) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    findings.add('body', '', `expected valid JSON${positionIn(error)}`, 'json');
    return undefined;
  }
  if (wasStripped) stripPrototypeKeys(value, false);
  return { value, values: scan.values, wasStripped };
}

function addFaults(scan: Scan, strip: boolean, maxDepth: number, findings: Findings): boolean {
  let isReadable = true;
  for (const { keyword, path } of scan.faults) {
    if (keyword === 'prototypeKeys' && strip) continue;
    if (keyword === 'maxDepth') isReadable = false;
    const message =
      keyword === 'maxDepth' ? `expected at most ${maxDepth} levels of nesting` : MESSAGES[keyword];
    findings.add('body', path, message, keyword);
  }
  return isReadable;
}

/** The engine's own message quotes the text, which may hold secrets: only the position is taken from it. */
function positionIn(error: unknown): string {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  return position === undefined ? '' : `; the mistake is at character ${position}`;
}

/** Takes `__proto__`, and `prototype` below `constructor`, out of a value that is not nested too deep. */
function stripPrototypeKeys(value: unknown, isConstructor: boolean): void {
  if (typeof value !== 'object' || value === null) return;
  Reflect.deleteProperty(value, '__proto__');
  if (isConstructor && !Array.isArray(value)) Reflect.deleteProperty(value, 'prototype');
  for (const [key, child] of Object.entries(value)) {
    stripPrototypeKeys(child, key === 'constructor' && !Array.isArray(value));
  }
}

/** A value with white space cut off both ends of its texts; keys stay as they are. */
export function trimTexts(value: unknown): unknown {
  if (typeof value === 'string') return value.trim();
  if (typeof value !== 'object' || value === null) return value;
  for (const [key, child] of Object.entries(value)) {
    // Assigning would set the prototype where a key is named so.
    Object.defineProperty(value, key, { value: trimTexts(child) });
  }
  return value;
}
