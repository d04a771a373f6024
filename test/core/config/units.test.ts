import { expect } from 'chai';
import fc from 'fast-check';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../../core/config/units.js';

describe('parseDuration', () => {
  it('takes a number as seconds, and text with a unit', () => {
    expect([0.25, 30, '30', '250ms', '30s', '5 m', '1H', '1d', '1.5s'].map(parseDuration)).to.deep.equal([
      250, 30_000, 30_000, 250, 30_000, 300_000, 3_600_000, 86_400_000, 1500,
    ]);
  });

  it('refuses everything else', () => {
    for (const value of [
      -1,
      '-1s',
      Number.NaN,
      Number.POSITIVE_INFINITY,
      '',
      's',
      '1w',
      '1s2',
      null,
      true,
      `${'9'.repeat(400)}d`,
      '1__proto__',
    ]) {
      expect(parseDuration(value), String(value)).to.equal(undefined);
    }
  });

  it('reads back what formatDuration writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), (milliseconds) => {
        expect(parseDuration(formatDuration(milliseconds))).to.equal(milliseconds);
      }),
    );
  });
});

describe('parseSize', () => {
  it('takes a number as bytes, and text with a unit of powers of 1024', () => {
    expect([512, '512b', '16kb', '10MB', '1gb', '1.5kb'].map(parseSize)).to.deep.equal([
      512, 512, 16_384, 10_485_760, 1_073_741_824, 1536,
    ]);
    expect(parseSize('1tb')).to.equal(undefined);
  });

  it('reads back what formatSize writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 45 }), (bytes) => {
        expect(parseSize(formatSize(bytes))).to.equal(bytes);
      }),
    );
  });
});
