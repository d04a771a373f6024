/** Reads dates as {@link parseHttpDate}, and remembers the latest: for a second, all new responses have the same. */
export class DateReader {
  #text = '';
  #time: number | undefined = undefined;

  readonly read = (text: string, now: number): number | undefined => {
    if (text !== this.#text) {
      this.#time = parseHttpDate(text, now);
      this.#text = text;
    }
    return this.#time;
  };
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

const IMF_FIXDATE = /^[a-z]{3}, (\d{2}) ([a-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) gmt$/;
const RFC_850 = /^[a-z]{6,9}, (\d{2})-([a-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) gmt$/;
const ASCTIME = /^[a-z]{3} ([a-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** Years of two digits that would be more than this far in the future are of the century before. */
const MOST_YEARS_AHEAD = 50;

/**
 * Reads an HTTP-date in any of the three forms of RFC 9110 section 5.6.7, without regard to case (RFC 9111 section 4.2).
 *
 * @param now milliseconds since the epoch, for years of two digits
 * @returns milliseconds since the epoch, or undefined for anything else
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const usual = parseUsual(text);
  if (usual !== undefined) return usual;
  const lower = text.toLowerCase();
  let match = IMF_FIXDATE.exec(lower);
  if (match) return time(Number(match[3]), match[2], match[1], match[4], match[5], match[6]);
  match = RFC_850.exec(lower);
  if (match) return time(fullYear(Number(match[3]), now), match[2], match[1], match[4], match[5], match[6]);
  match = ASCTIME.exec(lower);
  if (match) return time(Number(match[6]), match[1], match[2], match[3], match[4], match[5]);
  return undefined;
}

const USUAL_MONTHS: ReadonlyMap<string, number> = new Map(
  MONTHS.map((name, index) => [name.charAt(0).toUpperCase() + name.slice(1), index]),
);

/** The form that is generated, in its usual case, without a regular expression: every response has one. */
function parseUsual(text: string): number | undefined {
  if (text.length !== 29 || !text.endsWith(' GMT') || text.slice(3, 5) !== ', ') return undefined;
  if (text[7] !== ' ' || text[11] !== ' ' || text[16] !== ' ' || text[19] !== ':' || text[22] !== ':')
    return undefined;
  const month = USUAL_MONTHS.get(text.slice(8, 11));
  const day = digits(text, 5, 7);
  const year = digits(text, 12, 16);
  const hour = digits(text, 17, 19);
  const minute = digits(text, 20, 22);
  const second = digits(text, 23, 25);
  // What is unusual is left to the regular expressions.
  if (month === undefined || Number.isNaN(day + year + hour + minute + second)) return undefined;
  if (day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59) return undefined;
  return Date.UTC(year, month, day, hour, minute, second);
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

function fullYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + MOST_YEARS_AHEAD ? year - 100 : year;
}

function time(year: number, monthName = '', ...rest: (string | undefined)[]): number | undefined {
  const month = MONTHS.indexOf(monthName);
  const [day = 0, hour = 0, minute = 0, second = 0] = rest.map(Number);
  if (month === -1 || day < 1 || hour > 23 || minute > 59 || second > 60) return undefined;
  const result = Date.UTC(year, month, day, hour, minute, second);
  return new Date(result).getUTCDate() === day || second === 60 ? result : undefined;
}
