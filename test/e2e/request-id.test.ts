import { expect } from 'chai';
import { WebSocketServer } from 'ws';
import { catalogue } from '../../plugins/index.js';
import { type RawConfig, type RunningGateway, startGateway } from '../support/gateway.js';
import { RawConnection } from '../support/raw-client.js';
import { fieldValues, startUpstream, type Upstream } from '../support/upstream.js';

/** `req-`, ten characters of time, eight of the process, four of a counter. */
const MADE = /^req-[0-9a-hjkmnp-tv-z]{22}$/;

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';

describe('request ids', () => {
  let upstream: Upstream;
  let sockets: WebSocketServer;
  let gateway: RunningGateway;

  const start = async (settings: RawConfig = {}) => {
    const address = sockets.address();
    if (address === null || typeof address === 'string') throw new Error('The server has no TCP address');
    gateway = await startGateway(
      {
        services: {
          demo: { targets: [upstream.url], health: false },
          live: { targets: [`http://127.0.0.1:${address.port}`], health: false },
          gone: { targets: ['http://127.0.0.1:1'], health: false, retries: { attempts: 1 } },
        },
        plugins: [{ cors: { origins: ['https://a.example'] } }, 'ws-proxy'],
        ...settings,
      },
      { catalogue },
    );
  };

  before(async () => {
    upstream = await startUpstream();
    sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => sockets.once('listening', resolve));
  });

  after(async () => {
    for (const client of sockets.clients) client.terminate();
    sockets.close();
    await upstream.close();
  });

  afterEach(() => gateway.stop());

  /** The ids in the response to a head, sent with `fields` in it. */
  async function ask(head: string, fields = ''): Promise<{ status: number; ids: string[] }> {
    const connection = await RawConnection.open(gateway.port);
    connection.send(`${head}\r\nHost: demo.example\r\n${fields}\r\n`);
    await connection.received('\r\n\r\n');
    const text = connection.text.slice(0, connection.text.indexOf('\r\n\r\n'));
    connection.destroy();
    const ids = [...text.matchAll(/^x-request-id: (.*?)\r?$/gim)].map(([, id]) => id ?? '');
    return { status: Number(text.split(' ')[1]), ids };
  }

  const rows: readonly [title: string, head: string, fields: string, status: number][] = [
    ['a response of the upstream', 'GET /api/v1/demo/echo HTTP/1.1', '', 200],
    ['what matches no route', 'GET /nowhere HTTP/1.1', '', 404],
    ['a target that refuses', 'GET /api/v1/gone/x HTTP/1.1', '', 503],
    ['an answer of the gateway’s own', 'GET /health HTTP/1.1', '', 200],
    ['an admin route', 'GET /api/v1/gateway/status HTTP/1.1', 'X-Forwarded-For: 192.0.2.1\r\n', 401],
    [
      'an answer of a plugin',
      'OPTIONS /api/v1/demo/echo HTTP/1.1',
      'Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n',
      204,
    ],
    ['a head that is refused', 'GET /api/v1/demo/%zz HTTP/1.1', '', 400],
    ['an upgrade that is taken', 'GET /ws/live/x HTTP/1.1', UPGRADE, 101],
    ['an upgrade that is refused', 'GET /ws/nobody/x HTTP/1.1', UPGRADE, 404],
    ['an upgrade that the upstream refuses', 'GET /ws/demo/x HTTP/1.1', UPGRADE, 0],
    ['a WebSocket route without an upgrade', 'GET /ws/demo/x HTTP/1.1', '', 426],
  ];

  for (const [title, head, fields, status] of rows) {
    it(`are in the response: ${title}`, async () => {
      await start();
      const own = await ask(head, `${fields}X-Request-Id: from-a-stranger\r\n`);
      if (status !== 0) expect(own.status).to.equal(status);
      expect(own.ids).to.have.length(1);
      expect(own.ids[0]).to.match(MADE);
    });

    it(`are those of a trusted proxy: ${title}`, async () => {
      await start({ trustedProxies: ['127.0.0.1'] });
      const given = await ask(head, `${fields}X-Request-Id: from-the-proxy\r\n`);
      expect(given.ids).to.deep.equal(['from-the-proxy']);
    });
  }

  it('are in the response to what is no request', async () => {
    await start();
    const { status, ids } = await ask('GET\u0000 / HTTP/1.1', 'X-Request-Id: x\r\n');
    expect(status).to.equal(400);
    expect(ids).to.have.length(1);
    expect(ids[0]).to.match(MADE);
  });

  it('reach the upstream, and sort by the time they were made', async () => {
    await start();
    const ids: string[] = [];
    upstream.requests.length = 0;
    for (let i = 0; i < 50; i++) ids.push(...(await ask('GET /api/v1/demo/echo HTTP/1.1')).ids);
    expect(
      upstream.requests.flatMap(({ rawHeaders }) => fieldValues(rawHeaders, 'x-request-id')),
    ).to.deep.equal(ids);
    expect(ids.toSorted()).to.deep.equal(ids);
    expect(new Set(ids).size).to.equal(50);
  });

  it('are made where a trusted proxy sends none that is fit', async () => {
    await start({ trustedProxies: ['127.0.0.1'] });
    for (const field of [
      '',
      'X-Request-Id:\r\n',
      'X-Request-Id: a b\r\n',
      `X-Request-Id: ${'x'.repeat(129)}\r\n`,
      'X-Request-Id: a\r\nX-Request-Id: b\r\n',
    ]) {
      const { ids } = await ask('GET /api/v1/demo/echo HTTP/1.1', field);
      expect(ids, field).to.have.length(1);
      expect(ids[0], field).to.match(MADE);
    }
  });
});
