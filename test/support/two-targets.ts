import { expect } from 'chai';
import { type RawConfig, type RunningGateway, startGateway } from './gateway.js';
import { until } from './until.js';
import { startUpstream, type Upstream, type UpstreamHandler } from './upstream.js';

/** Breaks a connection off when a request has come. */
export const reset: UpstreamHandler = (req) => req.socket.resetAndDestroy();

/** A port that nobody listens on. */
export async function nobody(): Promise<string> {
  const gone = await startUpstream();
  await gone.close();
  return gone.url;
}

/** What the retries of service `a` are taken from. */
export function budgetOf({ gateway }: RunningGateway) {
  const service = gateway.services.get('a');
  if (service === undefined) throw new Error('There is no service');
  return service.retryBudget;
}

/** Two targets, one of which does what a test wants, and the gateways in front of them. */
export class TwoTargets {
  /** What the bad target does with each request. */
  misbehave: UpstreamHandler = reset;
  #good: Upstream | undefined;
  #bad: Upstream | undefined;
  readonly #gateways: RunningGateway[] = [];

  /** Answers with an echo. */
  get good(): Upstream {
    return running(this.#good);
  }

  get bad(): Upstream {
    return running(this.#bad);
  }

  async start(): Promise<void> {
    this.#good = await startUpstream();
    this.#bad = await startUpstream((req, res, recorded) => this.misbehave(req, res, recorded));
  }

  async stop(): Promise<void> {
    await this.good.close();
    await this.bad.close();
  }

  /** A gateway whose service `a` has the bad target first, then the good one; stopped after the test. */
  gatewayWith(
    retries: unknown = {},
    settings: RawConfig = {},
    targets: readonly string[] = [this.bad.url, this.good.url],
  ): Promise<RunningGateway> {
    return this.startGateway({ services: { a: { targets, health: false, retries, ...settings } } });
  }

  /** A gateway that is stopped after the test. */
  async startGateway(...init: Parameters<typeof startGateway>): Promise<RunningGateway> {
    const gateway = await startGateway(...init);
    this.#gateways.push(gateway);
    return gateway;
  }

  /** Checks that nothing is left over, and stops the gateways of a test. */
  async tidyUp(): Promise<void> {
    for (const { gateway } of this.#gateways) {
      for (const service of gateway.services.list()) {
        await until('no request to be under way', () => service.targets.every(({ active }) => active === 0));
        expect(service.retryBudget.underWay).to.equal(0);
      }
    }
    await Promise.all(this.#gateways.splice(0).map((gateway) => gateway.stop()));
    this.good.requests.length = 0;
    this.bad.requests.length = 0;
  }
}

function running(upstream: Upstream | undefined): Upstream {
  if (upstream === undefined) throw new Error('The targets have not been started');
  return upstream;
}

/** Two targets for the tests of a suite; to be called in its `describe`. */
export function useTwoTargets(): TwoTargets {
  const targets = new TwoTargets();
  before(() => targets.start());
  after(() => targets.stop());
  afterEach(() => targets.tidyUp());
  return targets;
}
