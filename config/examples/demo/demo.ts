import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createGateway, createLog, type EmbeddedGateway } from '../../../core/index.js';
import { catalogue } from '../../../plugins/index.js';
import { startDemoUpstreams } from './upstreams.js';

/*
 * `npm run demo`: two sample services and a gateway in front of them, in one process, until Ctrl-C. The ports come
 * from DEMO_GATEWAY_PORT, DEMO_MARKET_DATA_PORT and DEMO_DATA_STORAGE_PORT, 0 for any free one.
 */

/** Milliseconds until the services must have been found healthy. */
const MOST_START = 10_000;

try {
  await run();
} catch (error) {
  process.stderr.write(`${explain(error)}\n`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { env } = process;
  const upstreams = await startDemoUpstreams({
    marketData: portFrom('DEMO_MARKET_DATA_PORT', 8081),
    dataStorage: portFrom('DEMO_DATA_STORAGE_PORT', 8082),
  });
  const log = createLog({ level: 'INFO', pretty: process.stdout.isTTY });
  const configuration: unknown = parse(readFileSync(new URL('gateway.yaml', import.meta.url), 'utf8'));
  try {
    const gateway = createGateway(configuration, {
      catalogue,
      logger: log.logger,
      baseDirectory: fileURLToPath(new URL('.', import.meta.url)),
      env: {
        ...env,
        DEMO_MARKET_DATA_PORT: new URL(upstreams.marketDataUrl).port,
        DEMO_DATA_STORAGE_PORT: new URL(upstreams.dataStorageUrl).port,
      },
    });
    const interrupted = interruption();
    await gateway.start();
    try {
      await healthy(gateway);
      log.flush();
      print(gateway.address().port);
      await interrupted;
    } finally {
      await gateway.stop();
    }
  } finally {
    await upstreams.close();
    log.flush();
  }
}

function portFrom(variable: string, fallback: number): number {
  const text = process.env[variable];
  if (text === undefined || text === '') return fallback;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new Error(`${variable}: found "${text}", expected a port from 0 to 65535`);
  }
  return port;
}

function interruption(): Promise<void> {
  return new Promise((resolve) => {
    // `on`, not `once`: with npm and the terminal in between, one Ctrl-C may arrive twice.
    process.on('SIGINT', () => resolve());
    process.on('SIGTERM', () => resolve());
  });
}

/** Waits for the first round of health checks. */
async function healthy(gateway: EmbeddedGateway): Promise<void> {
  const deadline = performance.now() + MOST_START;
  const targets = gateway.services.list().flatMap((service) => service.targets);
  while (!targets.every((target) => target.healthy && target.lastHealthCheck !== undefined)) {
    if (performance.now() > deadline) throw new Error('The sample services did not become healthy');
    await delay(20);
  }
}

function print(port: number): void {
  const url = `http://localhost:${port}`;
  const lines = [
    '',
    `The gateway is ready on ${url}. Try, in another terminal:`,
    '',
    '  # A quote, over HTTP',
    `  curl -i ${url}/api/v1/market-data-collector/quotes/BTC-USD`,
    '',
    '  # Quotes as server-sent events, one a second; Ctrl-C ends it',
    `  curl -N ${url}/api/v1/market-data-collector/stream`,
    '',
    '  # Quotes over a WebSocket, one a second; Ctrl-C ends it',
    `  node -e "new (require('ws'))('${url.replace('http', 'ws')}/ws/market-data-collector/live')` +
      `.on('message', (data) => console.log(String(data)))"`,
    '',
    '  # What the gateway says of itself',
    `  curl ${url}/api/v1/gateway/status`,
    '',
    'Ctrl-C stops the demo.',
    '',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, port } = { code: undefined, port: undefined, ...error };
  if (code !== 'EADDRINUSE') return error.message;
  return (
    `Port ${String(port)} is taken. Stop what listens there, or choose other ports with DEMO_GATEWAY_PORT, ` +
    'DEMO_MARKET_DATA_PORT and DEMO_DATA_STORAGE_PORT (0 for any free one).'
  );
}
