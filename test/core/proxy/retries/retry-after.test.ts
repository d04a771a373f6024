import { expect } from 'chai';
import { retryAfter } from '../../../../core/proxy/retries/retry-after.js';

const NOW = Date.UTC(2024, 0, 1, 12);

describe('retryAfter (RFC 9110 section 10.2.3)', () => {
  const rows: readonly [value: string, expected: number | undefined][] = [
    ['0', 0],
    ['3', 3000],
    [' 3 ', 3000],
    ['Mon, 01 Jan 2024 12:00:05 GMT', 5000],
    ['Monday, 01-Jan-24 12:00:05 GMT', 5000],
    ['Mon, 01 Jan 2024 11:00:00 GMT', 0],
    ['-1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['soon', undefined],
    ['2024-01-01', undefined],
    ['Mon, 32 Jan 2024 12:00:05 GMT', undefined],
    ['9'.repeat(30), undefined],
  ];
  for (const [value, expected] of rows) {
    it(`${JSON.stringify(value)}: ${expected}`, () => {
      expect(retryAfter(value, NOW)).to.equal(expected);
    });
  }
});
