import { Type } from 'typebox';

const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 } as const;

/** What a duration may look like, for error messages. */
export const DURATION_FORM = "a duration: seconds as a number, or text like '250ms', '30s', '5m', '1h', '1d'";
/** What a size may look like, for error messages. */
export const SIZE_FORM = "a size: bytes as a number, or text like '512b', '16kb', '10mb', '1gb'";

/**
 * Milliseconds of a duration as it stands in a configuration: a number is seconds.
 *
 * @returns undefined when it is no duration: negative, not finite, or an unknown unit
 */
export function parseDuration(value: unknown): number | undefined {
  return parseUnits(value, DURATION_UNITS, 1000);
}

/**
 * Bytes of a size as it stands in a configuration: a number is bytes, units are powers of 1024.
 *
 * @returns undefined when it is no size
 */
export function parseSize(value: unknown): number | undefined {
  const bytes = parseUnits(value, SIZE_UNITS, 1);
  return bytes === undefined ? undefined : Math.round(bytes);
}

function parseUnits(
  value: unknown,
  units: Readonly<Record<string, number>>,
  perPlainNumber: number,
): number | undefined {
  if (typeof value === 'number') {
    const plain = value * perPlainNumber;
    return Number.isFinite(plain) && plain >= 0 ? plain : undefined;
  }
  if (typeof value !== 'string') return undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value.trim());
  if (!match) return undefined;
  const unit = (match[2] ?? '').toLowerCase();
  const factor = unit === '' ? perPlainNumber : Object.hasOwn(units, unit) ? units[unit] : undefined;
  const amount = factor === undefined ? Number.NaN : Number(match[1]) * factor;
  return Number.isFinite(amount) ? amount : undefined;
}

/** Milliseconds as text in the largest unit that gives a whole number: `1500ms`, `30s`, `5m`. */
export function formatDuration(milliseconds: number): string {
  return formatUnits(milliseconds, DURATION_UNITS, 'ms');
}

/** Bytes as text in the largest unit that gives a whole number: `512b`, `16kb`. */
export function formatSize(bytes: number): string {
  return formatUnits(bytes, SIZE_UNITS, 'b');
}

function formatUnits(amount: number, units: Readonly<Record<string, number>>, smallest: string): string {
  const fitting = Object.entries(units).filter(([, factor]) => amount >= factor && amount % factor === 0);
  const [unit, factor] = fitting.at(-1) ?? [smallest, 1];
  return `${amount / factor}${unit}`;
}

interface UnitOptions {
  readonly default?: string | number;
  readonly description: string;
}

interface DurationOptions extends UnitOptions {
  /** Shortest duration allowed, in milliseconds. */
  readonly minimum?: number;
  /** Longest duration allowed, in milliseconds; {@link LONGEST_TIMER} where a timer is set by it. */
  readonly maximum?: number;
}

/** The longest delay of a Node.js timer, in milliseconds: a longer one fires at once. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/**
 * A TypeBox schema for a duration. Validation replaces what was written by milliseconds, so that options carry
 * plain numbers.
 */
export function Duration({ minimum = 0, maximum = Number.MAX_SAFE_INTEGER, ...options }: DurationOptions) {
  const limits = {
    ...(minimum > 0 ? { minimum } : {}),
    ...(maximum < Number.MAX_SAFE_INTEGER ? { maximum } : {}),
  };
  return Type.Unsafe<number>({ type: ['number', 'string'], gatewayDuration: limits, ...options });
}

/** A TypeBox schema for a size. Validation replaces what was written by bytes. */
export function Size(options: UnitOptions) {
  return Type.Unsafe<number>({ type: ['number', 'string'], gatewaySize: true, ...options });
}
