import { expect } from 'chai';
import { Type } from 'typebox';
import {
  definePlugin,
  GatewayError,
  type GatewayPlugin,
  type UpgradeHandler,
  type UpstreamHead,
} from '../../core/index.js';
import { RawConnection } from '../support/raw-client.js';
import { type BreakerKit, CIRCUIT, runBreaker } from './circuit-breaker/support.js';

/** What the upstream of the upgrades does: its head, or how it fails. */
let connect: () => Promise<UpstreamHead>;
/** Where upgrades were led. */
let asked: string[];

/** Takes upgrades over as ws-proxy does, without a real upstream. */
class Tunnel implements GatewayPlugin {
  upgrade(): UpgradeHandler {
    return async (ctx, socket, _head, attempt) => {
      const { status } = await attempt(ctx.gateway, ({ url }) => {
        asked.push(url + ctx.gateway.upstreamPath);
        return connect();
      });
      socket.end(`HTTP/1.1 ${status} Whatever\r\nContent-Length: 0\r\n\r\n`);
    };
  }
}

const tunnel = definePlugin({
  name: 'tunnel',
  summary: 'For tests.',
  options: Type.Object({}),
  plugin: Tunnel,
});

const UPGRADE = [
  'GET /ws/demo/live HTTP/1.1',
  'Host: gateway.test',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '',
  '',
].join('\r\n');

async function upgrade({ port }: BreakerKit): Promise<string> {
  const connection = await RawConnection.open(port);
  connection.send(UPGRADE);
  await connection.received('\r\n\r\n');
  connection.destroy();
  return connection.text;
}

const statusOf = (text: string) => Number(text.split(' ')[1]);

function failing(code: 'SERVICE_UNAVAILABLE' | 'GATEWAY_TIMEOUT' | 'CLIENT_CLOSED_REQUEST') {
  return () => Promise.reject(new GatewayError(code, { cause: new Error('as the test wants it') }));
}

const run = (options: object = {}) => runBreaker(options, { after: [{ definition: tunnel }] });

describe('circuit-breaker: upgrades', () => {
  beforeEach(() => {
    asked = [];
    connect = () => Promise.resolve({ status: 101, headers: [] });
  });

  it('are attempts like others: five failures open the circuit, and refusals are real responses', async () => {
    const kit = await run();
    connect = failing('SERVICE_UNAVAILABLE');
    for (let i = 0; i < 5; i++) expect(statusOf(await upgrade(kit))).to.equal(503);
    connect = () => Promise.reject(new Error('The upstream is not to be asked'));
    const refused = await upgrade(kit);
    expect(statusOf(refused)).to.equal(503);
    expect(refused.toLowerCase()).to.include('\r\nretry-after: 60\r\n');
    expect(await kit.ask(1), 'one circuit for requests and upgrades').to.deep.equal([503]);
  });

  it('succeed with 101, and fail with the statuses that count', async () => {
    const kit = await run({ failureThreshold: 2 });
    connect = () => Promise.resolve({ status: 502, headers: [] });
    await upgrade(kit);
    connect = () => Promise.resolve({ status: 101, headers: [] });
    await upgrade(kit);
    expect(await kit.stats()).to.include({ state: 'CLOSED', failure_count: 0 });
    connect = () => Promise.resolve({ status: 502, headers: [] });
    await upgrade(kit);
    await upgrade(kit);
    expect(await kit.state()).to.equal('OPEN');
  });

  it('are probes, and give their slot back where the client left', async () => {
    const kit = await run({ failureThreshold: 1, probes: 1, successThreshold: 1 });
    connect = failing('GATEWAY_TIMEOUT');
    expect(statusOf(await upgrade(kit))).to.equal(504);
    kit.clock.tick(60_000);
    connect = failing('CLIENT_CLOSED_REQUEST');
    await upgrade(kit);
    expect(await kit.state()).to.equal('HALF_OPEN');
    connect = () => Promise.resolve({ status: 101, headers: [] });
    expect(statusOf(await upgrade(kit))).to.equal(101);
    expect(await kit.state()).to.equal('CLOSED');
  });

  it('get the fallback response', async () => {
    const kit = await run({ fallback: { response: { status: 503, body: 'Back soon.' } } });
    await kit.agent.post(`${CIRCUIT}/open`).expect(200);
    const text = await upgrade(kit);
    expect(statusOf(text)).to.equal(503);
    expect(text.toLowerCase()).to.include('\r\nretry-after: 60\r\n');
  });

  it('are led to the fallback service', async () => {
    const kit = await runBreaker(
      { fallback: { service: 'other' } },
      {
        after: [{ definition: tunnel }],
        settings: {
          services: {
            demo: { targets: ['http://127.0.0.1:1'], health: false },
            other: { targets: ['http://127.0.0.1:2'], health: false, websocketBasePath: '/sockets' },
          },
        },
      },
    );
    await upgrade(kit);
    await kit.agent.post(`${CIRCUIT}/open`).expect(200);
    expect(statusOf(await upgrade(kit))).to.equal(101);
    expect(asked).to.deep.equal(['http://127.0.0.1:1/ws/live', 'http://127.0.0.1:2/sockets/live']);
  });
});
