import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import {
  CLOCK,
  type Clock,
  definePlugin,
  type GatewayPlugin,
  type GatewayRequest,
  LOGGER,
  type Logger,
  PLUGIN_ID,
} from '../../core/index.js';
import { FaultInjection } from '../../plugins/fault-injection/fault-injection.js';
import faultInjection from '../../plugins/fault-injection/index.js';
import { definition } from '../core/loader/support.js';
import { type Authority, createAuthority } from '../support/certificates.js';
import { type PluginKit, type PluginKitOptions, runPlugin } from '../support/plugin-kit.js';
import { RawConnection } from '../support/raw-client.js';
import { until } from '../support/until.js';

const PATH = '/api/v1/demo/echo';

/** Draws 0, 0.1, 0.2 ... 0.9 in turn. */
@injectable()
class Counted extends FaultInjection {
  constructor(
    @inject(PLUGIN_ID) pluginId: string,
    @inject(LOGGER) logger: Logger,
    @inject(CLOCK) clock: Clock,
  ) {
    let drawn = 0;
    super(pluginId, logger, clock, () => (drawn++ % 10) / 10);
  }
}
const counted = definePlugin({ ...faultInjection, plugin: Counted });

/** Keeps what was decided on requests that are over, and their error codes. */
function journal() {
  const entries: { fault: string | undefined; code: string | undefined }[] = [];
  const member: GatewayPlugin = {
    finished: ({ decisions: { fault }, errorCode }: GatewayRequest) => {
      entries.push({ fault, code: errorCode });
    },
  };
  return { entries, before: [{ definition: definition('test-journal', {}, member) }] };
}

/** Waits until the clock has `count` more timers than before: requests that are being held up. */
async function held({ clock }: PluginKit, send: () => void, count = 1): Promise<void> {
  const before = clock.pending;
  send();
  await until(`${count} requests to be held up`, () => clock.pending === before + count);
}

const warnings = (lines: readonly string[]) => lines.filter((line) => line.includes('Faults are injected'));

describe('fault-injection', () => {
  it('does nothing as it stands, and says nothing', async () => {
    const { agent, logLines } = await runPlugin(faultInjection);
    await agent.get(PATH).expect(200);
    expect(warnings(logLines)).to.deep.equal([]);
  });

  it('warns at the start, at a reload, and of a service registered later', async () => {
    const kit = await runPlugin(faultInjection, { abort: { header: 'x-abort' } });
    const [line = '{}'] = warnings(kit.logLines);
    expect(JSON.parse(line)).to.deep.include({
      level: 'WARNING',
      plugin: 'fault-injection',
      routes: ['demo'],
      count: 1,
    });
    await kit.gateway.reload(kit.configuration({ delay: { duration: '1s', percentage: 1 } }));
    expect(warnings(kit.logLines)).to.have.length(2);
    const later = { service_name: 'later', targets: [kit.upstream.url], health: false };
    await kit.agent.post('/api/v1/gateway/services').send(later).expect(201);
    expect(warnings(kit.logLines).at(-1)).to.contain('"later"');
    await kit.gateway.reload(kit.configuration({ delay: { duration: '1s', percentage: 0 } }));
    expect(warnings(kit.logLines).filter((each) => each.includes('"demo"'))).to.have.length(2);
  });

  describe('delay', () => {
    it('holds a request up for its time, and passes it on', async () => {
      const { entries, before } = journal();
      const kit = await runPlugin(faultInjection, { delay: { duration: '2s' } }, { before });
      let response: Promise<unknown> = Promise.resolve();
      await held(kit, () => {
        response = kit.agent.get(PATH).expect(200).expect('X-Fault-Injected', 'delay').then();
      });
      kit.clock.tick(1999);
      expect(kit.upstream.requests).to.have.length(0);
      kit.clock.tick(1);
      await response;
      expect(kit.upstream.requests).to.have.length(1);
      expect(entries).to.deep.equal([{ fault: 'delay', code: undefined }]);
    });

    it('takes as long as chance, or the header, will have it', async () => {
      const delay = { duration: '1s', maxDuration: '3s', header: 'X-Delay' };
      const kit = await runPlugin(counted, { delay });
      // 0.1 of the range: the first number drawn says that the request is met.
      const rows: [string, number][] = [
        ['on', 1200],
        ['1500ms', 1500],
        ['1h', 3000],
      ];
      for (const [asked, expected] of rows) {
        let done = false;
        await held(kit, () => {
          void kit.agent
            .get(PATH)
            .set('X-Delay', asked)
            .then(() => {
              done = true;
            });
        });
        const before = kit.upstream.requests.length;
        kit.clock.tick(expected - 1);
        expect(kit.upstream.requests, asked).to.have.length(before);
        kit.clock.tick(1);
        await until('the response', () => done);
      }
      await kit.agent.get(PATH).expect(200);
    });

    it('ends when the client is gone, and nothing of it is left', async () => {
      const { entries, before } = journal();
      const kit = await runPlugin(faultInjection, { delay: { duration: '1h' } }, { before });
      const { clock, port, upstream } = kit;
      const idle = clock.pending;
      const connection = await RawConnection.open(port);
      await held(kit, () => connection.send(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`));
      connection.destroy();
      await until('the delay to end', () => clock.pending === idle);
      await until('the request to be over', () => entries.length === 1);
      clock.tick(3_600_000);
      expect(upstream.requests).to.have.length(0);
      expect(entries.map(({ fault }) => fault)).to.deep.equal(['delay']);
    });

    it('holds up no more than may be at a time', async () => {
      const kit = await runPlugin(faultInjection, { delay: { duration: '1s' }, maxDelayed: 2 });
      const responses: Promise<unknown>[] = [];
      await held(
        kit,
        () => responses.push(kit.agent.get(PATH).expect(200).then(), kit.agent.get(PATH).expect(200).then()),
        2,
      );
      const { headers } = await kit.agent.get(PATH).expect(200);
      expect(headers).not.to.have.property('x-fault-injected');
      kit.clock.tick(1000);
      await Promise.all(responses);
      // There is room again.
      await held(kit, () => responses.push(kit.agent.get(PATH).expect(200).then()));
      kit.clock.tick(1000);
      await Promise.all(responses);
    });

    it('lets requests end that a reload has found waiting', async () => {
      const kit = await runPlugin(faultInjection, { delay: { duration: '1s' } });
      let response: Promise<unknown> = Promise.resolve();
      await held(kit, () => {
        response = kit.agent.get(PATH).expect(200).expect('X-Fault-Injected', 'delay').then();
      });
      await kit.gateway.reload(kit.configuration({}));
      await kit.agent.get(PATH).expect(200);
      kit.clock.tick(1000);
      await response;
    });
  });

  describe('abort', () => {
    it('answers with the status in the error format', async () => {
      const { entries, before } = journal();
      const { agent, upstream } = await runPlugin(faultInjection, { abort: { status: 504 } }, { before });
      const { body } = await agent.get(PATH).expect(504).expect('X-Fault-Injected', 'abort');
      expect(body).to.include({ code: 'GATEWAY_TIMEOUT', error: 'The service did not answer in time' });
      expect(upstream.requests).to.have.length(0);
      expect(entries).to.deep.equal([{ fault: 'abort', code: 'GATEWAY_TIMEOUT' }]);
    });

    it('meets its share of the requests', async () => {
      const { agent } = await runPlugin(counted, { abort: { percentage: 30 } });
      const statuses: number[] = [];
      for (let index = 0; index < 20; index++) statuses.push((await agent.get(PATH)).status);
      expect(statuses.filter((status) => status === 503)).to.have.length(6);
      expect(statuses.filter((status) => status === 200)).to.have.length(14);
    });

    it('meets only requests that ask for it, with what they ask for', async () => {
      const abort = { header: 'X-Abort', headerStatuses: [429] };
      const { agent } = await runPlugin(faultInjection, { abort });
      await agent.get(PATH).expect(200);
      await agent.get(PATH).set('X-Abort', '1').expect(503);
      await agent.get(PATH).set('X-Abort', '429').expect(429);
      await agent.get(PATH).set('X-Abort', '401').expect(503);
    });

    it('breaks the connection off without a byte', async () => {
      const { entries, before } = journal();
      const { port, upstream, agent, gateway, configuration } = await runPlugin(
        faultInjection,
        { abort: { status: 'reset' } },
        { before },
      );
      const connection = await RawConnection.open(port);
      const failed = once(connection.socket, 'error');
      connection.send(`GET ${PATH} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const [error] = await failed;
      expect(error).to.have.property('code', 'ECONNRESET');
      expect(connection.text).to.equal('');
      expect(upstream.requests).to.have.length(0);
      await until('the request to be over', () => entries.length === 1);
      expect(entries).to.deep.equal([{ fault: 'abort', code: 'BAD_GATEWAY' }]);
      await gateway.reload(configuration({}));
      await agent.get(PATH).expect(200);
    });

    it('comes after the delay where both are to be', async () => {
      const { entries, before } = journal();
      const options = { delay: { duration: '1s' }, abort: { status: 502 } };
      const kit = await runPlugin(faultInjection, options, { before });
      let response: Promise<unknown> = Promise.resolve();
      await held(kit, () => {
        response = kit.agent.get(PATH).expect(502).expect('X-Fault-Injected', 'delay, abort').then();
      });
      kit.clock.tick(1000);
      await response;
      expect(entries).to.deep.equal([{ fault: 'abort', code: 'BAD_GATEWAY' }]);
    });

    it('meets upgrades before they are taken over', async () => {
      let taken = 0;
      const upgrade: GatewayPlugin = {
        upgrade: () => async (_ctx, socket) => {
          taken++;
          socket.end();
        },
      };
      const after = [{ definition: definition('test-upgrade', {}, upgrade) }];
      const head = `GET /ws/demo HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`;
      for (const [status, isExpected] of [
        ['reset', (text: string) => text === ''],
        [503, (text: string) => text.startsWith('HTTP/1.1 503 ')],
      ] as const) {
        const { port } = await runPlugin(faultInjection, { abort: { status } }, { after });
        const connection = await RawConnection.open(port);
        connection.send(head);
        await until('the connection to close', () => connection.closed);
        expect(isExpected(connection.text), `${status}: ${connection.text}`).to.equal(true);
      }
      expect(taken).to.equal(0);
    });
  });

  describe('over HTTP/2', () => {
    let authority: Authority;

    before(async () => {
      authority = await createAuthority();
    });
    after(() => authority.discard());

    it('resets the stream, and leaves the connection', async () => {
      const tls = await authority.issue('localhost', ['localhost']);
      const settings: PluginKitOptions['settings'] = { tls };
      const abort = { status: 'reset', header: 'x-abort' };
      const { port, logLines } = await runPlugin(faultInjection, { abort }, { settings });
      const session = connectHttp2(`https://localhost:${port}`, { ca: await authority.read(authority.cert) });
      try {
        const reset = session.request({ ':path': PATH, 'x-abort': '1' });
        const [error] = await once(reset, 'error');
        expect(String(error)).to.contain('NGHTTP2_INTERNAL_ERROR');
        const next = session.request({ ':path': PATH });
        const [headers] = await once(next, 'response');
        expect(headers).to.have.property(':status', 200);
        next.resume();
        await once(next, 'close');
      } finally {
        session.destroy();
      }
      expect(logLines.filter((line) => line.includes('"ERROR"'))).to.deep.equal([]);
    });
  });

  describe('does not start with', () => {
    const rows: [string, object, string[]][] = [
      [
        'a range that ends before it begins',
        { delay: { duration: '2s', maxDuration: '1s' } },
        ['delay.maxDuration: found 1000 ms', 'at least delay.duration'],
      ],
      ['a delay without a duration', { delay: {} }, ['delay.duration: found nothing']],
      ['a status that is no error', { abort: { status: 200 } }, ['abort.status: found 200', '"reset"']],
      ['a share above 100', { abort: { percentage: 101 } }, ['abort.percentage', 'from 0 to 100']],
    ];
    for (const [what, options, texts] of rows) {
      it(what, async () => {
        const error = await runPlugin(faultInjection, options).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        for (const text of texts) expect(String(error)).to.contain(text);
      });
    }
  });
});
