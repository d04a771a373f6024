import type { Format } from './exposition.js';

const OPEN_METRICS = 'application/openmetrics-text';

/**
 * The format that a scraper prefers (RFC 9110 section 12.5.1). OpenMetrics only where it is named: a wildcard is what browsers
 * and curl send, and they are to see the simpler one. Prometheus adds parameters of its own to the types, such as `escaping`,
 * which do not make them other types.
 */
export function formatFor(accept: string | undefined): Format {
  if (accept === undefined) return 'prometheus';
  let openMetrics = 0;
  let text = 0;
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const weight = weightOf(parameters);
    if (type === OPEN_METRICS && speaksOurVersion(parameters)) openMetrics = Math.max(openMetrics, weight);
    if (type === 'text/plain') text = Math.max(text, weight);
  }
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'prometheus';
}

function weightOf(parameters: readonly string[]): number {
  const given = parameters.find((parameter) => parameter.startsWith('q='));
  if (given === undefined) return 1;
  const weight = Number(given.slice(2));
  return weight >= 0 && weight <= 1 ? weight : 0;
}

function speaksOurVersion(parameters: readonly string[]): boolean {
  const version = parameters.find((parameter) => parameter.startsWith('version='));
  return version === undefined || version === 'version=1.0.0';
}
