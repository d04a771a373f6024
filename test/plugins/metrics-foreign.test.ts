import { expect } from 'chai';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import { definePlugin, type GatewayPlugin, METRICS, type Metric } from '../../core/index.js';
import metrics from '../../plugins/metrics/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { promtool, scrape } from './metrics-support.js';

const one = (labels: Record<string, string> = {}, value = 1) => [{ labels, value }];

/** A plugin with these metrics. */
function telling(name: string, list: () => readonly Metric[]) {
  return definePlugin({
    name,
    summary: 'Has metrics.',
    options: Type.Object({}),
    plugin: class implements GatewayPlugin {
      metrics() {
        return list();
      }
    },
  });
}

/** A gateway whose plugin has these metrics, with what is in the log about them. */
async function running(...definitions: readonly ReturnType<typeof telling>[]) {
  const kit = await runPlugin(metrics, {}, { after: definitions.map((definition) => ({ definition })) });
  const complaints = () => kit.logLines.filter((line) => line.includes('left out'));
  return { kit, complaints };
}

describe('metrics of others', () => {
  it('stand beside the gateway’s own', async () => {
    const { kit, complaints } = await running(
      telling('circuits', () => [
        {
          name: 'gateway_circuit_breaker_state',
          help: 'State.',
          type: 'gauge',
          series: one({ service: 'demo' }, 2),
        },
        {
          name: 'gateway_trips_total',
          help: 'Trips.',
          type: 'counter',
          series: one({ service: 'a "b"' }, 7),
        },
      ]),
    );
    const found = await scrape(kit.url);
    expect(found.sum('gateway_circuit_breaker_state', { service: 'demo' })).to.equal(2);
    expect(found.sum('gateway_trips_total')).to.equal(7);
    expect(found.text.match(/^# TYPE gateway_circuit_breaker_state /gm)).to.have.length(1);
    expect((await promtool(['check', 'metrics'], found.text)).output).to.equal('');
    const openMetrics = await scrape(kit.url, { accept: 'application/openmetrics-text' });
    expect(openMetrics.types.get('gateway_trips')).to.equal('counter');
    expect(complaints()).to.deep.equal([]);
  });

  const faults: readonly (readonly [string, Metric])[] = [
    ['a name that is none', { name: 'not a name', help: 'x', type: 'gauge', series: one() }],
    ['a line break in the name', { name: 'a\nb', help: 'x', type: 'gauge', series: one() }],
    ['a counter without _total', { name: 'gateway_trips', help: 'x', type: 'counter', series: one() }],
    ['a gauge with _total', { name: 'gateway_trips_total', help: 'x', type: 'gauge', series: one() }],
    ['a name that is taken', { name: 'gateway_requests_total', help: 'x', type: 'counter', series: one() }],
    [
      'a name of a histogram’s samples',
      { name: 'gateway_requests_duration_sum', help: 'x', type: 'gauge', series: one() },
    ],
    [
      'a name of a label that is none',
      { name: 'gateway_a', help: 'x', type: 'gauge', series: one({ 'a-b': 'c' }) },
    ],
    [
      'the same labels twice',
      { name: 'gateway_a', help: 'x', type: 'gauge', series: [...one({ a: 'b' }), ...one({ a: 'b' })] },
    ],
    [
      'a value that is no number',
      { name: 'gateway_a', help: 'x', type: 'gauge', series: JSON.parse('[{"labels":{},"value":"1"}]') },
    ],
    ['no series', { name: 'gateway_a', help: 'x', type: 'gauge', series: JSON.parse('null') }],
    ['a type that is none', JSON.parse('{"name":"gateway_a","help":"x","type":"summary","series":[]}')],
  ];
  for (const [title, faulty] of faults) {
    it(`are left out, and named once in the log, for ${title}`, async () => {
      const good: Metric = { name: 'gateway_good', help: 'Good.', type: 'gauge', series: one() };
      const { kit, complaints } = await running(telling('faulty', () => [faulty, good]));
      await scrape(kit.url);
      const found = await scrape(kit.url);
      expect(found.sum('gateway_good')).to.equal(1);
      expect((await promtool(['check', 'metrics'], found.text)).output).to.equal('');
      expect(complaints()).to.have.length(1);
      expect(complaints()[0]).to.include(JSON.stringify(faulty.name));
    });
  }

  it('are those of the first of two that have the same', async () => {
    const same = (value: number) => () => [
      { name: 'gateway_same', help: 'x', type: 'gauge' as const, series: one({}, value) },
    ];
    const { kit, complaints } = await running(telling('first', same(1)), telling('second', same(2)));
    expect((await scrape(kit.url)).sum('gateway_same')).to.equal(1);
    expect(complaints()).to.have.length(1);
  });

  it('do not break the scrape where a plugin throws', async () => {
    const throwing = telling('throwing', () => {
      throw new Error('broken');
    });
    const { kit, complaints } = await running(throwing);
    await scrape(kit.url);
    expect((await scrape(kit.url)).types.has('gateway_requests_total')).to.equal(true);
    expect(complaints()).to.have.length(1);
  });

  it('may be prom-client’s', async () => {
    @injectable()
    class Counting implements GatewayPlugin {
      constructor(@inject(METRICS) registry: Registry) {
        const registers = [registry];
        new Counter({ name: 'own_things_total', help: 'Things.', labelNames: ['a'], registers }).inc(
          { a: 'b' },
          3,
        );
        new Histogram({ name: 'own_seconds', help: 'Time.', buckets: [1, 2], registers }).observe(1.5);
        new Gauge({ name: 'gateway_services', help: 'Taken.', registers }).set(99);
        new Gauge({
          name: 'own_failing',
          help: 'Fails.',
          registers,
          collect() {
            throw new Error('broken');
          },
        });
      }
    }
    const definition = definePlugin({
      name: 'counting',
      summary: 'Counts with prom-client.',
      options: Type.Object({}),
      plugin: Counting,
    });
    const { kit, complaints } = await running(definition);
    const found = await scrape(kit.url);
    expect(found.sum('own_things_total', { a: 'b' })).to.equal(3);
    expect(found.sum('own_seconds_bucket', { le: '2' })).to.equal(1);
    expect(found.sum('own_seconds_count')).to.equal(1);
    expect(found.sum('gateway_services')).to.equal(1);
    expect(found.types.has('own_failing')).to.equal(false);
    expect(complaints()).to.have.length(2);
    expect((await promtool(['check', 'metrics'], found.text)).output).to.equal('');
    const openMetrics = await scrape(kit.url, { accept: 'application/openmetrics-text' });
    expect(openMetrics.sum('own_things_total', { a: 'b' })).to.equal(3);
  });
});
