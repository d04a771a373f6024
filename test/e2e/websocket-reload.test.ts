import { expect } from 'chai';
import { inject, injectable } from 'tsyringe';
import { Type } from 'typebox';
import {
  type AttemptWrapper,
  definePlugin,
  type GatewayPlugin,
  type Hooks,
  OPTIONS,
} from '../../core/index.js';
import { catalogue } from '../../plugins/index.js';
import { openClient, startWebSocketUpstream, type WebSocketUpstream } from '../plugins/ws-proxy/sockets.js';
import { type RawConfig, type RunningGateway, service, startGateway } from '../support/gateway.js';
import { until } from '../support/until.js';

/** The attempts that were made, and the instances that were stopped, by name. */
const attempts: string[] = [];
const stopped: string[] = [];

@injectable()
class Watcher implements GatewayPlugin {
  readonly hooks: Hooks;
  readonly #name: string;

  constructor(@inject(OPTIONS) { name }: { readonly name: string }) {
    this.#name = name;
    this.hooks = { onStop: () => void stopped.push(name) };
  }

  attempt(): AttemptWrapper {
    return (_attempt, next) => {
      attempts.push(this.#name);
      return next();
    };
  }
}
const watcher = definePlugin({
  name: 'watcher',
  summary: 'Watches attempts.',
  options: Type.Object({ name: Type.String({ default: '', description: 'Its name.' }) }),
  plugin: Watcher,
});

for (const mode of ['managed', 'tunnel'] as const) {
  describe(`open WebSockets, reloads and the stop, ${mode}`, () => {
    let upstream: WebSocketUpstream;
    let gateway: RunningGateway;

    const configuration = (generation: number): RawConfig => ({
      host: '127.0.0.1',
      port: 0,
      ...(generation === 0 ? {} : { dataDirectory: gateway.dataDirectory }),
      logging: { level: 'CRITICAL' },
      shutdown: { drainTimeout: generation === 0 ? '50ms' : '5s' },
      services: { a: service(upstream.url), [`extra-${generation}`]: service(upstream.url) },
      plugins: [
        { watcher: { name: `generation ${generation}` } },
        { 'ws-proxy': { mode, drainGrace: '100ms', idleTimeout: `${600 + generation}s` } },
      ],
    });

    beforeEach(async () => {
      attempts.length = 0;
      stopped.length = 0;
      upstream = await startWebSocketUpstream();
      gateway = await startGateway(configuration(0), {
        catalogue: { ...catalogue, watcher: async () => ({ default: watcher }) },
      });
    });

    afterEach(async () => {
      await gateway.stop();
      await upstream.close();
    });

    it('reloads neither cut them nor wait for them; the stop says 1001, and waits', async () => {
      const { socket, seen } = await openClient(`${gateway.url}/ws/a/live`);
      for (let generation = 1; generation <= 5; generation++) {
        const begun = performance.now();
        await gateway.gateway.reload(configuration(generation));
        expect(performance.now() - begun).to.be.lessThan(4000);
        socket.send(String(generation));
        await until('the echo', () => seen.texts.at(-1) === String(generation));
      }
      await until('the end of the old ones', () => stopped.length === 5);
      socket.send('still here');
      await until('the echo', () => seen.texts.at(-1) === 'still here');
      const begun = performance.now();
      await gateway.stop();
      expect(performance.now() - begun).to.be.within(90, 4000);
      expect((await seen.closed()).code).to.equal(mode === 'managed' ? 1001 : 1006);
      expect((await upstream.accepted[0]?.seen.closed())?.code).to.equal(mode === 'managed' ? 1001 : 1006);
    });

    it('the stop cuts who does not answer it', async () => {
      await gateway.gateway.reload({ ...configuration(1), shutdown: { drainTimeout: '300ms' } });
      const { socket, seen } = await openClient(`${gateway.url}/ws/a/live`);
      socket.pause();
      const begun = performance.now();
      await gateway.stop();
      expect(performance.now() - begun).to.be.lessThan(2000);
      socket.resume();
      await seen.closed();
      await upstream.accepted[0]?.seen.closed();
    });

    if (mode === 'managed') {
      it('a reconnect goes by the generation of its time', async () => {
        const { socket, seen } = await openClient(`${gateway.url}/ws/a/live`);
        await gateway.gateway.reload(configuration(1));
        upstream.accepted[0]?.raw.resetAndDestroy();
        await until('the second connection', () => upstream.accepted.length === 2);
        socket.send('x');
        await until('the echo', () => seen.texts.length === 1);
        expect(attempts).to.deep.equal(['generation 0', 'generation 1']);
        socket.terminate();
      });
    }
  });
}
