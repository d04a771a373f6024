import { expect } from 'chai';
import fc from 'fast-check';
import { formatFor } from '../../plugins/metrics/accept.js';
import { Bounds, Buckets } from '../../plugins/metrics/buckets.js';
import { EventLoopDelay } from '../../plugins/metrics/event-loop-delay.js';
import { Exposition } from '../../plugins/metrics/exposition.js';
import { isLabelName, isMetricName } from '../../plugins/metrics/labels.js';
import { FakeClock } from '../support/fake-clock.js';
import { promtool, Scrape } from './metrics-support.js';

describe('the parts of the metrics', () => {
  it('choose the format by Accept', () => {
    const prometheus2 =
      'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,' +
      'text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const prometheus3 =
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,' +
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2';
    const rows: readonly (readonly [string | undefined, string])[] = [
      [undefined, 'prometheus'],
      ['*/*', 'prometheus'],
      ['text/html,application/xhtml+xml,*/*;q=0.8', 'prometheus'],
      ['text/plain', 'prometheus'],
      ['application/openmetrics-text', 'openmetrics'],
      ['Application/OpenMetrics-Text; Version=1.0.0', 'openmetrics'],
      ['application/openmetrics-text;version=0.0.1', 'prometheus'],
      ['application/openmetrics-text;q=0', 'prometheus'],
      ['application/openmetrics-text;q=nonsense', 'prometheus'],
      ['application/openmetrics-text;q=0.2, text/plain;q=0.9', 'prometheus'],
      [prometheus2, 'openmetrics'],
      [prometheus3, 'openmetrics'],
    ];
    for (const [accept, format] of rows) expect(formatFor(accept), accept).to.equal(format);
  });

  it('count each value in the first bucket that holds it', () => {
    const numbers = fc.double({ min: 0, max: 100, noNaN: true });
    fc.assert(
      fc.property(fc.array(numbers, { minLength: 1, maxLength: 20 }), fc.array(numbers), (bounds, values) => {
        const buckets = new Buckets(new Bounds(bounds), '');
        for (const value of values) buckets.observe(value);
        const out = new Exposition('prometheus');
        out.begin({ name: 'x', help: '', type: 'histogram' });
        out.histogram(buckets);
        const scrape = new Scrape(out.end().toString(), '');
        for (const { labels, value } of scrape.matching('x_bucket')) {
          const most = labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le);
          expect(value).to.equal(values.filter((each) => each <= most).length);
        }
        expect(scrape.matching('x_bucket')).to.have.length(new Set(bounds).size + 1);
        expect(scrape.sum('x_count')).to.equal(values.length);
        expect(scrape.sum('x_sum')).to.be.closeTo(
          values.reduce((sum, value) => sum + value, 0),
          1e-6,
        );
      }),
    );
  });

  it('keep no exemplar that is no trace id', () => {
    const buckets = new Buckets(new Bounds([1]), '');
    for (const id of ['', 'x"} 1', '0AF7651916CD43DD8448EB211C80319C']) buckets.keepExemplar(id, 1, 0);
    expect(buckets.exemplars).to.equal(undefined);
  });

  it('write a text of any length, in UTF-8, that promtool takes', async () => {
    const out = new Exposition('prometheus');
    out.begin({ name: 'gateway_long', help: 'With a \\ and\na line.', type: 'gauge' });
    for (let i = 0; i < 5000; i++) out.sample(`route="größer ${i}"`, i);
    out.begin({ name: 'gateway_numbers', help: 'Odd ones.', type: 'gauge' });
    const odd = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e21, 1e-7, -0];
    for (const [i, value] of odd.entries()) out.sample(`i="${i}"`, value);
    const text = out.end().toString();
    expect(text.split('\n')).to.have.length(2 + 5000 + 2 + odd.length + 1);
    expect(text).to.include('gateway_long{route="größer 4999"} 4999\n');
    expect(await promtool(['check', 'metrics'], text)).to.deep.equal({ code: 0, output: '' });
  });

  it('know what Prometheus lets metrics and labels be called', () => {
    for (const name of ['a', 'gateway_x_total', '_a9', 'a:b'])
      expect(isMetricName(name), name).to.equal(true);
    for (const name of ['', '9a', 'a-b', 'a b', 'a\nb', 'é'])
      expect(isMetricName(name), name).to.equal(false);
    for (const name of ['le', '_a9']) expect(isLabelName(name), name).to.equal(true);
    for (const name of ['', '9a', 'a:b', '__name__', 'a"b']) expect(isLabelName(name), name).to.equal(false);
  });

  it('measure how late timers fire, and stop', () => {
    const clock = new FakeClock();
    const timers: (() => void)[] = [];
    let cancelled = 0;
    const lateClock = {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimeout: () => ({ cancel: () => undefined }),
      setInterval(callback: () => void) {
        timers.push(callback);
        return { cancel: () => cancelled++ };
      },
    };
    const delay = new EventLoopDelay(lateClock);
    for (const passed of [20, 30, 20, 320]) {
      clock.tick(passed);
      timers[0]?.();
    }
    expect(delay.buckets.sum).to.be.closeTo(0.31, 1e-9);
    expect(delay.buckets.counts.reduce((sum, count) => sum + count, 0)).to.equal(4);
    delay.stop();
    expect(cancelled).to.equal(1);
  });
});
