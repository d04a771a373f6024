import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { expect } from 'chai';
import { Type } from 'typebox';
import { definePlugin, type GatewayMiddleware } from '../../core/index.js';
import { until } from '../support/until.js';

const PROMTOOL = 'promtool';

/** One line of a scrape. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A scrape, taken apart. */
export class Scrape {
  readonly text: string;
  readonly contentType: string;
  readonly samples: readonly Sample[];

  constructor(text: string, contentType: string) {
    this.text = text;
    this.contentType = contentType;
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(sampleOf);
  }

  /** The sum of the samples of this name that have these labels, among others. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    return this.matching(name, labels).reduce((sum, { value }) => sum + value, 0);
  }

  matching(name: string, labels: Readonly<Record<string, string>> = {}): readonly Sample[] {
    return this.samples.filter(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => (sample.labels[label] ?? '') === value),
    );
  }

  /** Names of the metrics with their types, as the text declares them. */
  get types(): ReadonlyMap<string, string> {
    return new Map(
      [...this.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type = '']) => [name, type]),
    );
  }
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*?)\})? (\S+)(?: # .*)?$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

function sampleOf(line: string): Sample {
  const [, name, labels = '', value] = LINE.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new Error(`No sample: ${line}`);
  const pairs = [...labels.matchAll(LABEL)].map(([, label = '', text = '']) => [label, text] as const);
  return {
    name,
    labels: Object.fromEntries(pairs),
    value: value === '+Inf' ? Number.POSITIVE_INFINITY : Number(value),
  };
}

/** Asks for the metrics of a gateway. */
export function scrape(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  path = '/metrics',
): Promise<Scrape> {
  return new Promise((resolve, reject) => {
    const asked = request(`${url}${path}`, { headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        if (res.statusCode === 200) resolve(new Scrape(text, res.headers['content-type'] ?? ''));
        else reject(new Error(`Scrape answered with ${res.statusCode}: ${text}`));
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

/**
 * Runs Prometheus' own tool.
 *
 * @returns its exit code, and whatever it printed
 * @throws Error when it is not installed
 */
export function promtool(args: readonly string[], input = ''): Promise<{ code: number; output: string }> {
  return new Promise((resolve, reject) => {
    const child = execFile(PROMTOOL, args, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') {
        reject(new Error('promtool cannot be run; install the Debian package prometheus', { cause: error }));
      } else {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, output: `${stdout}${stderr}` });
      }
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** Scrapes until so many requests have been counted. */
export async function scrapeAfter({ url }: { readonly url: string }, requests: number): Promise<Scrape> {
  let latest = await scrape(url);
  await until(`${requests} requests to be counted`, async () => {
    latest = await scrape(url);
    return latest.sum('gateway_requests_total') >= requests;
  });
  expect(latest.sum('gateway_requests_total')).to.equal(requests);
  return latest;
}

/** Decides whatever a request asks for in its fields. */
export const deciding = definePlugin({
  name: 'deciding',
  summary: 'Decides.',
  options: Type.Object({}),
  plugin: class {
    middleware(): GatewayMiddleware {
      return (ctx, next) => {
        for (const [name, value] of Object.entries(ctx.headers)) {
          if (name.startsWith('x-decide-')) {
            const key = name.slice('x-decide-'.length).replaceAll('-', '_');
            Reflect.apply(ctx.gateway.decide, ctx.gateway, [key, String(value)]);
          }
        }
        return next();
      };
    }
  },
});
