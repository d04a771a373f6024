import { expect } from 'chai';
import fc from 'fast-check';
import { IsoTimes, jsonMilliseconds, jsonText } from '../../../core/log/json-text.js';

describe('jsonText', () => {
  it('writes any text as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(jsonText(text)).to.equal(JSON.stringify(text));
      }),
    );
  });

  it('escapes what would end the text or the line', () => {
    for (const text of ['"', '\\', '\n', '\r', '\u0000', '\u001f', '\u007f', '\ud800', '\u2028', 'ü', '']) {
      expect(jsonText(text)).to.equal(JSON.stringify(text));
    }
  });
});

describe('jsonMilliseconds', () => {
  it('writes thousandths without trailing zeros', () => {
    const rows = [
      [0, '0'],
      [1.5, '1.5'],
      [1.532, '1.532'],
      [0.001, '0.001'],
      [0.0004, '0'],
      [12, '12'],
      [99.9996, '100'],
      [-1, '0'],
      [Number.NaN, '0'],
      [Number.POSITIVE_INFINITY, '0'],
    ] as const;
    for (const [value, text] of rows) expect(jsonMilliseconds(value)).to.equal(text);
  });

  it('is a JSON number to the microsecond', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (value) => {
        expect(JSON.parse(jsonMilliseconds(value))).to.equal(Math.round(value * 1000) / 1000);
      }),
    );
  });
});

describe('IsoTimes', () => {
  it('writes times as Date does, in any order', () => {
    const times = new IsoTimes();
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4_102_444_800_000 })), (moments) => {
        for (const moment of moments) expect(times.format(moment)).to.equal(new Date(moment).toISOString());
      }),
    );
  });
});
