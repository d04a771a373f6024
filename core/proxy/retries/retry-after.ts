/** RFC 9110 section 5.6.7; the day of the week is not looked at. */
const IMF_FIXDATE = /^[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * How long a `Retry-After` field (RFC 9110 section 10.2.3) asks to wait, in milliseconds: its seconds, or the time until
 * its date, 0 for one in the past.
 *
 * @param now milliseconds since the epoch
 * @returns undefined when it is neither
 */
export function retryAfter(value: string, now: number): number | undefined {
  const text = value.trim();
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  if (!IMF_FIXDATE.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
}
