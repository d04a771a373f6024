import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { Agent } from 'undici';
import { type RunningGateway, startGateway } from '../support/gateway.js';
import { TargetProcess } from '../support/target-process.js';
import { until } from '../support/until.js';

const CLIENTS = 8;
/** Milliseconds that each client waits between its requests: a steady load that leaves room on a busy machine. */
const PAUSE = 4;

interface Answer {
  readonly at: number;
  readonly status: number;
  /** The process that answered. */
  readonly by: string;
}

/** Asks without a break until it is stopped. */
class Load {
  readonly answers: Answer[] = [];
  readonly failures: unknown[] = [];
  readonly #agent = new Agent({ connections: CLIENTS });
  readonly #clients: Promise<void>[];
  #stopped = false;

  constructor(url: string) {
    this.#clients = Array.from({ length: CLIENTS }, () => this.#run(url));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
    await this.#agent.close();
  }

  async #run(url: string): Promise<void> {
    while (!this.#stopped) {
      try {
        const { statusCode, body } = await this.#agent.request({
          origin: url,
          path: '/api/v1/a/x',
          method: 'GET',
        });
        this.answers.push({ at: performance.now(), status: statusCode, by: await body.text() });
      } catch (failure) {
        this.failures.push(failure);
      }
      await delay(PAUSE);
    }
  }
}

describe('one of three targets killed and restarted under load', function () {
  this.timeout(30_000);
  const targets = [new TargetProcess(), new TargetProcess(), new TargetProcess()] as const;
  let gateway: RunningGateway;

  before(() => Promise.all(targets.map((target) => target.start())));
  after(() => Promise.all(targets.map((target) => target.kill())));
  afterEach(() => gateway.stop());

  for (const [checks, health] of [
    ['with health checks', { path: '/health', interval: '200ms', timeout: '1s', fall: 2, rise: 1 }],
    ['without health checks', false],
  ] as const) {
    it(`no client sees an error, and soon each has its share again, ${checks}`, async () => {
      gateway = await startGateway({
        services: { a: { targets: targets.map(({ url }) => url), health } },
      });
      const load = new Load(gateway.url);
      const [victim] = targets;
      let recovered = 0;
      try {
        await until(
          'a load on all of them',
          () => namesIn(load.answers).size === 3 && load.answers.length > 300,
        );
        await victim.kill();
        const killed = load.answers.length;
        await until('enough requests without it', () => load.answers.length > killed + 500);
        await victim.start();
        recovered = performance.now();
        await until('it to have 2 s', () => performance.now() > recovered + 2000);
        const since = load.answers.length;
        await until('enough requests after that', () => load.answers.length > since + 600, 10_000);
      } finally {
        await load.stop();
      }
      expect(load.failures).to.deep.equal([]);
      expect(load.answers.filter(({ status }) => status !== 200)).to.deep.equal([]);
      const late = load.answers.filter(({ at }) => at > recovered + 2000);
      for (const { name } of targets) {
        const share = late.filter(({ by }) => by === name).length / late.length;
        expect(share).to.be.within(0.3, 0.37);
      }
    });
  }
});

function namesIn(answers: readonly Answer[]): Set<string> {
  return new Set(answers.map(({ by }) => by));
}
