import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { PluginDefinition } from '../../core/index.js';
import circuitBreaker from '../../plugins/circuit-breaker/index.js';
import metrics from '../../plugins/metrics/index.js';
import responseCache from '../../plugins/response-cache/index.js';
import wsProxy from '../../plugins/ws-proxy/index.js';
import { runPlugin } from '../support/plugin-kit.js';
import { deciding, promtool, type Scrape, scrapeAfter } from './metrics-support.js';

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string) => readFile(file(path), 'utf8');

/** The plugins with metrics of their own that the page, the dashboard or the rules name. */
const OTHERS: readonly PluginDefinition[] = [circuitBreaker, responseCache, wsProxy];

/** Values that plugins decide on, so that there is a sample of each metric that counts them. */
const DECISIONS = {
  'rate-limit': 'allowed',
  'auth-failure': 'missing',
  cache: 'HIT',
  circuit: 'closed',
  compression: 'br',
  fault: 'delay',
  split: 'demo',
};

/** Scrapes a gateway with these plugins, after a request on which all was decided that is counted. */
async function scrapeWith(others: readonly PluginDefinition[]): Promise<Scrape> {
  const after = [{ definition: deciding }, ...others.map((definition) => ({ definition }))];
  const kit = await runPlugin(metrics, {}, { after, service: { concurrency: { limit: 10, perTarget: 10 } } });
  const asking = kit.agent.get('/api/v1/demo/echo');
  for (const [key, value] of Object.entries(DECISIONS)) asking.set(`x-decide-${key}`, value);
  await asking.expect(200);
  kit.gateway.events.emit('target.health', { service: 'demo', target: '', healthy: false, reason: '' });
  return scrapeAfter(kit, 1);
}

interface Row {
  readonly name: string;
  readonly type: string;
  readonly labels: string;
  readonly help: string;
}

/** The rows of the table behind a marker of the page. */
async function tableBehind(marker: string): Promise<Row[]> {
  const page = await read('docs/plugins/metrics.md');
  const start = page.indexOf(`<!-- ${marker} -->`);
  const end = page.indexOf(`<!-- /${marker} -->`);
  expect(start, marker).to.be.within(0, end);
  const lines = page.slice(start, end).split('\n');
  const rows = lines.map((line) => line.split('|').map((cell) => cell.trim()));
  return rows
    .filter((cells) => cells[1]?.startsWith('`'))
    .map(([, name = '', type = '', labels = '', help = '']) => ({
      name: name.replaceAll('`', ''),
      type,
      labels,
      help,
    }));
}

function exposed(found: Scrape): Row[] {
  const helps = new Map(
    [...found.text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = '', help = '']) => [name, help]),
  );
  return [...found.types].map(([name, type]) => {
    const sampleName = type === 'histogram' ? `${name}_count` : name;
    const [sample] = found.matching(sampleName);
    const labels = Object.keys(sample?.labels ?? {}).map((label) => `\`${label}\``);
    return { name, type, labels: labels.join(', '), help: helps.get(name) ?? '' };
  });
}

/** Names of metrics in a text of queries, without what a histogram adds to them. */
function namesIn(text: string): string[] {
  const names = text.match(/\b(?:gateway|nodejs|process)_[a-z_]+\b/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_(?:bucket|sum|count)$/, '')))];
}

describe('what is written about the metrics', () => {
  it('is a table of all that the plugin has', async () => {
    const found = exposed(await scrapeWith([]));
    const own = found.filter(({ name }) => name !== 'gateway_circuit_breaker_state');
    expect(await tableBehind('metrics')).to.deep.equal(own);
  });

  it('is a table of what other plugins add', async () => {
    const own = new Set(exposed(await scrapeWith([])).map(({ name }) => name));
    const all = exposed(await scrapeWith(OTHERS));
    const added = all.filter(({ name }) => !own.has(name) || name === 'gateway_circuit_breaker_state');
    const documented = await tableBehind('others');
    expect(documented.map(({ name, type }) => ({ name, type }))).to.have.deep.members(
      added.map(({ name, type }) => ({ name, type })),
    );
  });

  it('are rules that promtool takes, and a dashboard, on metrics that there are', async () => {
    const { code, output } = await promtool(['check', 'rules', file('config/prometheus/alerts.yaml')]);
    expect(code, output).to.equal(0);
    const { types } = await scrapeWith(OTHERS);
    const rules = namesIn(await read('config/prometheus/alerts.yaml'));
    const dashboard = namesIn(await read('config/grafana/api-gateway.json'));
    expect(rules).to.have.length.above(10);
    expect(dashboard).to.have.length.above(20);
    for (const name of [...rules, ...dashboard]) expect(types.has(name), name).to.equal(true);
  });

  it('is a dashboard without two panels of the same id, or one on top of another', async () => {
    const { panels } = JSON.parse(await read('config/grafana/api-gateway.json'));
    const ids = panels.map(({ id }: { id: number }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    const cells = panels.flatMap(
      ({ gridPos: { x, y, w, h } }: { gridPos: Record<'x' | 'y' | 'w' | 'h', number> }) =>
        Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).to.equal(cells.length);
  });

  it('is a page on which every alert has its place', async () => {
    const rules = await read('config/prometheus/alerts.yaml');
    const guide = await read('docs/guides/monitoring.md');
    for (const [, alert] of rules.matchAll(/alert: (\w+)/g)) expect(guide).to.include(`\`${alert}\``);
  });

  it('are texts without an empty help, which is passed by promtool', async () => {
    const { text } = await scrapeWith(OTHERS);
    expect(await promtool(['check', 'metrics'], text)).to.deep.equal({ code: 0, output: '' });
  });
});
