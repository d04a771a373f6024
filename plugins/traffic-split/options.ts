import type { Mistake } from '../../core/index.js';
import type { ForceRule } from './forced.js';
import { MOST_VARIANTS, type Variant } from './splitter.js';

/** What makes requests belong together. */
export const STICKY = ['none', 'consumer', 'client-address', 'cookie', 'header'] as const;

/** Options of the traffic split. */
export interface TrafficSplitOptions {
  readonly to: readonly Variant[];
  readonly sticky: (typeof STICKY)[number];
  readonly stickyKey?: string;
  readonly force: readonly ForceRule[];
  readonly fallback: boolean;
}

/** What no schema can say of the options; `file` is where they stand. */
export function contradictions(options: TrafficSplitOptions, file: string): Mistake[] {
  const { to, sticky, stickyKey, force } = options;
  const mistakes: Mistake[] = [];
  const names = to.map(({ service }) => service);
  for (const [position, name] of names.entries()) {
    if (names.indexOf(name) === position) continue;
    const expected = 'each service once';
    mistakes.push({ file, path: `to[${position}].service`, found: `"${name}" again`, expected });
  }
  if (to.length > MOST_VARIANTS) {
    mistakes.push({ file, path: 'to', found: `${to.length} services`, expected: `at most ${MOST_VARIANTS}` });
  }
  if (to.length > 0 && to.every(({ weight }) => weight === 0)) {
    const found = 'a weight of 0 for every service';
    mistakes.push({ file, path: 'to', found, expected: 'at least one service with a weight above 0' });
  }
  if ((sticky === 'cookie' || sticky === 'header') && stickyKey === undefined) {
    mistakes.push({
      file,
      path: 'stickyKey',
      found: 'nothing',
      expected: `the name of the ${sticky} to hash`,
    });
  }
  for (const [position, { header, cookie, service }] of force.entries()) {
    const path = `force[${position}]`;
    if ((header === undefined) === (cookie === undefined)) {
      const found = header === undefined ? 'neither header nor cookie' : 'header and cookie';
      mistakes.push({ file, path, found, expected: 'one of them' });
    }
    if (!names.includes(service)) {
      const expected = `a service of \`to\`: ${names.join(', ') || 'there is none'}`;
      mistakes.push({ file, path: `${path}.service`, found: `"${service}"`, expected });
    }
  }
  return mistakes;
}
