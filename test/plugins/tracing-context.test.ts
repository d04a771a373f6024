import { expect } from 'chai';
import fc from 'fast-check';
import { RandomIds } from '../../plugins/tracing/ids.js';
import { RatioSampler } from '../../plugins/tracing/sampler.js';
import { formatTraceParent, parseTraceParent } from '../../plugins/tracing/traceparent.js';
import { readTraceState } from '../../plugins/tracing/tracestate.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

const hex = (length: number) =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
    .map((digits) => digits.map((digit) => digit.toString(16)).join(''));

describe('tracing: traceparent', () => {
  it('reads version 00', () => {
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-01`)).to.deep.equal({
      traceId: TRACE,
      spanId: SPAN,
      sampled: true,
    });
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-00`)).to.include({ sampled: false });
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-03`)).to.include({ sampled: true });
    expect(parseTraceParent(`00-${TRACE}-${SPAN}-fe`)).to.include({ sampled: false });
  });

  it('reads what it knows of later versions', () => {
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01`)).to.include({ traceId: TRACE });
    expect(parseTraceParent(`cc-${TRACE}-${SPAN}-01-what-the-future-brings`)).to.include({ traceId: TRACE });
  });

  it('refuses everything else', () => {
    const rows = [
      '',
      `00-${TRACE}-${SPAN}`,
      `00-${TRACE}-${SPAN}-1`,
      `00-${TRACE}-${SPAN}-01-`,
      `00-${TRACE}-${SPAN}-01-more`,
      `00-${TRACE}-${SPAN}-01,00-${TRACE}-${SPAN}-01`,
      `cc-${TRACE}-${SPAN}-01.more`,
      `cc-${TRACE}-${SPAN}-011`,
      `ff-${TRACE}-${SPAN}-01`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${TRACE}-${SPAN.toUpperCase()}-01`,
      `0x-${TRACE}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-0g`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.slice(1)}g-${SPAN}-01`,
      `00_${TRACE}-${SPAN}-01`,
      `00-${TRACE}_${SPAN}-01`,
      `00-${TRACE}-${SPAN}_01`,
      ` 00-${TRACE}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-01 `,
    ];
    for (const row of rows) expect(parseTraceParent(row), row).to.equal(undefined);
  });

  it('reads what it has written, and nothing that was changed by a character', () => {
    fc.assert(
      fc.property(
        hex(32),
        hex(16),
        fc.boolean(),
        fc.nat(54),
        fc.constantFrom('g', 'A', ' ', ',', '-'),
        (traceId, spanId, sampled, at, other) => {
          fc.pre(/[^0]/.test(traceId) && /[^0]/.test(spanId));
          const text = formatTraceParent(traceId, spanId, sampled);
          expect(parseTraceParent(text)).to.deep.equal({ traceId, spanId, sampled });
          fc.pre(text[at] !== other);
          expect(parseTraceParent(text.slice(0, at) + other + text.slice(at + 1))).to.equal(undefined);
        },
      ),
    );
  });
});

describe('tracing: tracestate', () => {
  it('passes on what is well-formed', () => {
    expect(readTraceState(['rojo=00f067aa0ba902b7,congo=t61rcWkgMzE'])).to.equal(
      'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE',
    );
    expect(readTraceState(['a=1', 'b=2'])).to.equal('a=1,b=2');
    expect(readTraceState(['a=1 , ,\tb=2,'])).to.equal('a=1,b=2');
    expect(readTraceState(['fw529a3039@dt=FfGg;x:y'])).to.equal('fw529a3039@dt=FfGg;x:y');
  });

  it('drops what is not', () => {
    const many = Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(',');
    for (const row of [
      '',
      'a',
      '=1',
      'A=1',
      'a=1,a=2',
      'a=b=c',
      'a=ü',
      'a=',
      'a b=1',
      `${'k'.repeat(257)}=1`,
      many,
    ]) {
      expect(readTraceState([row]), row).to.equal(undefined);
    }
  });

  it('is cut between members, the long ones first', () => {
    const long = `long=${'x'.repeat(200)}`;
    const short = Array.from({ length: 20 }, (_, i) => `k${i}=${'v'.repeat(15)}`);
    expect(readTraceState([[long, ...short].join(',')])).to.equal(short.join(','));
    const filled = Array.from({ length: 32 }, (_, i) => `k${i}=${'v'.repeat(100)}`);
    expect(readTraceState([filled.join(',')])).to.equal(filled.slice(0, 4).join(','));
  });
});

describe('tracing: ids and sampling', () => {
  it('makes ids of the right form, none twice, over many pools', () => {
    const ids = new RandomIds();
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const trace = ids.trace();
      const span = ids.span();
      expect(trace).to.match(/^[0-9a-f]{32}$/);
      expect(span).to.match(/^[0-9a-f]{16}$/);
      seen.add(trace).add(span);
    }
    expect(seen.size).to.equal(4000);
  });

  it('never makes an id of zeros', () => {
    let fills = 0;
    const ids = new RandomIds((bytes) => {
      bytes.fill(fills++ === 0 ? 0 : 0xab);
    });
    expect(ids.span()).to.equal('ab'.repeat(8));
    expect(ids.trace()).to.equal('ab'.repeat(16));
    expect(fills).to.equal(2);
  });

  it('takes a share of the traces, by their ids, and of a smaller share no others', () => {
    expect(new RatioSampler(0).takes('f'.repeat(32))).to.equal(false);
    expect(new RatioSampler(1).takes('0'.repeat(32))).to.equal(true);
    const ids = new RandomIds();
    const few = new RatioSampler(0.1);
    const more = new RatioSampler(0.25);
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      const id = ids.trace();
      if (more.takes(id)) taken++;
      if (few.takes(id)) expect(more.takes(id)).to.equal(true);
    }
    // Six standard deviations either side.
    expect(taken).to.be.within(4633, 5367);
  });
});
