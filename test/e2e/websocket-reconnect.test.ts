import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { catalogue } from '../../plugins/index.js';
import { openClient, silent, startWebSocketUpstream } from '../plugins/ws-proxy/sockets.js';
import { type RawConfig, type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

/** A service in a process of its own, which writes what it receives to its standard output, and greets. */
const SERVICE = `
  import { WebSocketServer } from 'ws';
  const server = new WebSocketServer({ port: Number(process.argv[1]), host: '127.0.0.1' });
  server.on('listening', () => console.log('port ' + server.address().port));
  server.on('connection', (socket) => {
    socket.send('hello from ' + process.pid);
    socket.on('message', (data) => console.log('got ' + data));
  });
`;

class ServiceProcess {
  readonly received: string[] = [];
  readonly child: ChildProcess;
  port = 0;

  constructor(port: number) {
    this.child = spawn(process.execPath, ['--input-type=module', '-e', SERVICE, String(port)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const { stdout } = this.child;
    if (stdout === null) throw new Error('The service has no output');
    createInterface({ input: stdout }).on('line', (line) => {
      if (line.startsWith('port ')) this.port = Number(line.slice(5));
      else this.received.push(line.slice(4));
    });
  }

  static async start(port = 0): Promise<ServiceProcess> {
    const started = new ServiceProcess(port);
    await until('the service', () => started.port !== 0, 8000);
    return started;
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await closed;
  }
}

const FAST = { minDelay: '20ms', maxDelay: '50ms', attempts: 500 };

function numbers(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => String(from + i));
}

describe('when the connection to the service breaks', () => {
  let gateway: RunningGateway | undefined;
  let cleanUp: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    await gateway?.stop();
    gateway = undefined;
    for (const each of cleanUp.splice(0)) await each();
    cleanUp = [];
  });

  async function start(
    urls: readonly string[],
    options: RawConfig = { reconnect: FAST },
  ): Promise<RunningGateway> {
    gateway = await startGateway(
      { services: { a: { ...service(urls[0] ?? ''), targets: urls } }, plugins: [{ 'ws-proxy': options }] },
      { catalogue },
    );
    return gateway;
  }

  const active = () => gateway?.gateway.services.get('a')?.targets.map((target) => target.active);

  it('the service is killed and started again: the client stays, and nothing sent meanwhile is lost or doubled', async () => {
    let current = await ServiceProcess.start();
    cleanUp.push(() => current.kill());
    const { port } = current;
    const { url } = await start([`http://127.0.0.1:${port}`]);
    const { socket, seen } = await openClient(`${url}/ws/a/live`);
    let next = 0;
    for (let round = 0; round < 3; round++) {
      await until('the greeting', () => seen.texts.at(-1) === `hello from ${current.child.pid}`, 8000);
      const first = next;
      for (; next < first + 20; next++) socket.send(String(next));
      await until('all of them', () => current.received.length >= 20);
      await current.kill();
      // At once: the gateway may not have heard of it yet.
      for (; next < first + 220; next++) socket.send(String(next));
      const before = current;
      current = await ServiceProcess.start(port);
      await until('what was sent meanwhile', () => current.received.at(-1) === String(next - 1), 8000);
      expect([...before.received.filter((each) => Number(each) >= first), ...current.received]).to.deep.equal(
        numbers(first, next),
      );
      current.received.length = 0;
    }
    expect(socket.readyState).to.equal(socket.OPEN);
    expect(seen.close).to.equal(undefined);
    socket.close();
    await seen.closed();
  }).timeout(60_000);

  it('a client that never stops sending: all in order, none twice, and none lost that was sent after the end', async () => {
    let current = await ServiceProcess.start();
    cleanUp.push(() => current.kill());
    const { port } = current;
    const { url } = await start([`http://127.0.0.1:${port}`]);
    const { socket, seen } = await openClient(`${url}/ws/a/live`);
    let next = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 5; i++) socket.send(String(next++));
    }, 1);
    cleanUp.push(async () => clearInterval(timer));
    await until('traffic', () => current.received.length > 200);
    await current.kill();
    const afterTheEnd = next;
    const before = current.received;
    current = await ServiceProcess.start(port);
    await until('traffic again', () => current.received.length > 400, 8000);
    clearInterval(timer);
    await until('the last', () => current.received.at(-1) === String(next - 1), 8000);
    const all = [...before, ...current.received].map(Number);
    for (const [index, each] of all.entries())
      if (index > 0) expect(each).to.be.greaterThan(all[index - 1] ?? 0);
    expect(all.filter((each) => each >= afterTheEnd)).to.deep.equal(numbers(afterTheEnd, next).map(Number));
    socket.close();
    await seen.closed();
  }).timeout(30_000);

  it('more than the buffer holds waits with the client, and arrives all the same', async () => {
    const first = await startWebSocketUpstream(silent);
    const { url } = await start([first.url], { buffer: '64kb', reconnect: FAST });
    const { socket, seen } = await openClient(`${url}/ws/a/live`);
    const { port } = first;
    await first.close();
    const message = Buffer.alloc(64 * 1024);
    let sent = 0;
    for (; sent < 400; sent++) {
      message.writeUInt32BE(sent);
      socket.send(Buffer.from(message));
    }
    await until('the client to be held up', () => socket.bufferedAmount > 1024 * 1024);
    const received: number[] = [];
    const second = await startWebSocketUpstream(
      ({ socket: taken }) =>
        taken.on('message', (data) => Buffer.isBuffer(data) && received.push(data.readUInt32BE())),
      {},
      port,
    );
    cleanUp.push(() => second.close());
    await until('the last', () => received.at(-1) === sent - 1, 8000);
    expect(received).to.deep.equal(numbers(0, sent).map(Number));
    socket.close();
    await seen.closed();
  }).timeout(20_000);

  it('goes on at another target, with the same path, fields and subprotocol', async () => {
    const options = { handleProtocols: () => 'v1' };
    const [one, two] = [
      await startWebSocketUpstream(silent, options),
      await startWebSocketUpstream(silent, options),
    ];
    cleanUp.push(
      () => one.close().catch(() => undefined),
      () => two.close(),
    );
    const { url } = await start([one.url, two.url]);
    const { socket, seen } = await openClient(`${url}/ws/a/live?x=1`, ['v0', 'v1'], {
      headers: { 'X-Own': '1' },
    });
    const [from, to] = one.accepted.length === 1 ? [one, two] : [two, one];
    from.accepted[0]?.raw.resetAndDestroy();
    await until('the other target', () => to.accepted.length === 1);
    const req = to.accepted[0]?.req;
    expect(req?.url).to.equal('/ws/live?x=1');
    expect(req?.headers).to.include({ 'x-own': '1', 'sec-websocket-protocol': 'v1' });
    socket.send('still here');
    await until('the message', () => to.accepted[0]?.seen.texts[0] === 'still here');
    expect(active()).to.have.members([0, 1]);
    socket.close(1000);
    expect(await to.accepted[0]?.seen.closed()).to.deep.equal({ code: 1000, reason: '' });
    await seen.closed();
    await until('nothing left', () => active()?.every((count) => count === 0) === true);
  });

  it('answers pings of the client itself meanwhile', async () => {
    const upstream = await startWebSocketUpstream(silent);
    const { url } = await start([upstream.url]);
    const { socket, seen } = await openClient(`${url}/ws/a/live`);
    await upstream.close();
    await until('the end of the connection', () => active()?.[0] === 0);
    socket.ping('here?');
    await until('the pong', () => seen.frames.includes('pong:here?'));
    socket.terminate();
  });

  it('a clean close is passed on, and one of `codes` is a break', async () => {
    const upstream = await startWebSocketUpstream(silent);
    cleanUp.push(() => upstream.close());
    const { url } = await start([upstream.url], { reconnect: { ...FAST, codes: [1012] } });
    const { socket, seen } = await openClient(`${url}/ws/a/live`);
    upstream.accepted[0]?.socket.close(1012, 'restarting');
    await until('the second connection', () => upstream.accepted.length === 2);
    socket.send('x');
    await until('the message', () => upstream.accepted[1]?.seen.texts[0] === 'x');
    upstream.accepted[1]?.socket.close(1013, 'later');
    expect(await seen.closed()).to.deep.equal({ code: 1013, reason: 'later' });
    expect(upstream.accepted).to.have.length(2);
  });

  for (const [name, reconnect] of [
    ['after the last attempt', { minDelay: '1ms', maxDelay: '2ms', attempts: 3 }],
    ['at once where it is switched off', { enabled: false }],
  ] as const) {
    it(`closes with 1014 ${name}`, async () => {
      const upstream = await startWebSocketUpstream(silent);
      const { url } = await start([upstream.url], { reconnect });
      const { seen } = await openClient(`${url}/ws/a/live`);
      await upstream.close();
      expect(await seen.closed()).to.deep.equal({ code: 1014, reason: 'The service went away' });
      expect(active()).to.deep.equal([0]);
    });
  }

  it('closes with 1014 where the service does not speak the subprotocol any more', async () => {
    let protocol = 'v1';
    const upstream = await startWebSocketUpstream(silent, { handleProtocols: () => protocol });
    cleanUp.push(() => upstream.close());
    const { url } = await start([upstream.url], { reconnect: { ...FAST, attempts: 2 } });
    const { seen } = await openClient(`${url}/ws/a/live`, ['v1', 'v2']);
    protocol = 'v2';
    upstream.accepted[0]?.raw.destroy();
    expect((await seen.closed()).code).to.equal(1014);
    await until('nothing left', () => active()?.[0] === 0);
  });

  it('a client that goes meanwhile ends the attempts', async () => {
    const upstream = await startWebSocketUpstream(silent);
    const { url } = await start([upstream.url]);
    const { socket, seen } = await openClient(`${url}/ws/a/live`);
    const { port } = upstream;
    await upstream.close();
    await until('the end of the connection', () => active()?.[0] === 0);
    socket.close();
    await seen.closed();
    const later = await startWebSocketUpstream(silent, {}, port);
    cleanUp.push(() => later.close());
    const other = await openClient(`${url}/ws/a/live`);
    other.socket.send('x');
    await until('the message', () => later.accepted[0]?.seen.texts[0] === 'x');
    expect(later.accepted).to.have.length(1);
    other.socket.terminate();
  });
});
