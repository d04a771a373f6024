import { expect } from 'chai';
import { request } from 'undici';
import { FakeClock } from '../../support/fake-clock.js';
import { type RawConfig, type RunningGateway, startGateway } from '../../support/gateway.js';
import { until } from '../../support/until.js';
import { startUpstream, type Upstream, type UpstreamHandler } from '../../support/upstream.js';

/** A gateway with one service of some upstreams, by a clock that stands still; all ended after the test. */
describe('a service, through a gateway', () => {
  let running: RunningGateway;
  const upstreams: Upstream[] = [];
  const clock = new FakeClock();
  // The monotonic time 0 stands for what has not happened yet.
  clock.tick(1);

  afterEach(async () => {
    await running.stop();
    await Promise.all(upstreams.splice(0).map((upstream) => upstream.close()));
  });

  async function upstream(handler: UpstreamHandler): Promise<Upstream> {
    const started = await startUpstream(handler);
    upstreams.push(started);
    return started;
  }

  async function start(targets: readonly (string | RawConfig)[], settings: RawConfig): Promise<void> {
    const shop = { targets, health: false, retries: { attempts: 1 }, ...settings };
    running = await startGateway({ services: { shop } }, { clock });
  }

  async function get(signal?: AbortSignal): Promise<{ status: number; from: string; retryAfter: unknown }> {
    const { statusCode, headers, body } = await request(`${running.url}/api/v1/shop/x`, {
      signal: signal ?? null,
    });
    return { status: statusCode, from: await body.text(), retryAfter: headers['retry-after'] };
  }

  async function counts(amount: number): Promise<Record<string, number>> {
    const result: Record<string, number> = {};
    for (let number = 0; number < amount; number++) {
      const { from } = await get();
      result[from] = (result[from] ?? 0) + 1;
    }
    return result;
  }

  const named =
    (name: string): UpstreamHandler =>
    (_req, res) =>
      res.end(name);

  it('ejects a target that fails requests, shows it, and lets it start slowly when it returns', async () => {
    let broken = true;
    const a = await upstream((_req, res) => {
      res.statusCode = broken ? 503 : 200;
      res.end('a');
    });
    const b = await upstream(named('b'));
    await start([a.url, b.url], {
      outlierEjection: { consecutiveFailures: 3, baseTime: '10s' },
      slowStart: { duration: '20s', minimumShare: 0.1 },
    });
    const events: string[] = [];
    running.gateway.events.on('target.ejected', ({ service, reason }) => events.push(`${service} ${reason}`));
    running.gateway.events.on('target.returned', ({ service, reason }) =>
      events.push(`${service} ${reason}`),
    );
    expect(await counts(6)).to.deep.equal({ a: 3, b: 3 });
    expect(events).to.deep.equal(['shop consecutive-failures']);
    expect(await counts(10)).to.deep.equal({ b: 10 });
    const shown = await request(`${running.url}/api/v1/gateway/services/shop`);
    const { targets } = (await shown.body.json()) as { targets: { ejected: boolean; priority: number }[] };
    expect(targets.map(({ ejected, priority }) => [ejected, priority])).to.deep.equal([
      [true, 0],
      [false, 0],
    ]);
    broken = false;
    clock.tick(10_000);
    expect(events).to.deep.equal(['shop consecutive-failures', 'shop time']);
    expect(await counts(22)).to.deep.equal({ a: 2, b: 20 });
    clock.tick(20_000);
    expect(await counts(20)).to.deep.equal({ a: 10, b: 10 });
  });

  it('counts a target that cannot be connected to as failing', async () => {
    const gone = await startUpstream();
    await gone.close();
    const b = await upstream(named('b'));
    await start([gone.url, b.url], { outlierEjection: { consecutiveFailures: 2 } });
    const statuses: number[] = [];
    for (let number = 0; number < 10; number++) statuses.push((await get()).status);
    expect(statuses.filter((status) => status !== 200)).to.deep.equal([503, 503]);
  });

  it('uses a backup only while its first choice is out', async () => {
    let broken = true;
    const first = await upstream((_req, res) => {
      res.statusCode = broken ? 500 : 200;
      res.end('first');
    });
    const backup = await upstream(named('backup'));
    await start([{ url: backup.url, priority: 1 }, first.url], {
      outlierEjection: { consecutiveFailures: 2 },
    });
    expect(await counts(6)).to.deep.equal({ first: 2, backup: 4 });
    broken = false;
    clock.tick(10_000);
    expect(await counts(4)).to.deep.equal({ first: 4 });
  });

  it('limits the requests under way: who is over the limit waits, or gets 503 at once', async () => {
    const held: (() => void)[] = [];
    const slow = await upstream((_req, res) => held.push(() => res.end('slow')));
    await start([slow.url], { concurrency: { limit: 1, queue: 2, maxWait: '5s' } });
    const admission = running.gateway.services.get('shop')?.admission;
    const waiting = (amount: number) =>
      until(`${amount} to wait`, () => admission?.queueLength === amount && slow.requests.length > 0);
    const first = get();
    await waiting(0);
    const second = get();
    await waiting(1);
    const aborting = new AbortController();
    const third = get(aborting.signal).catch(() => 'aborted');
    await waiting(2);
    expect(await get()).to.include({ status: 503, retryAfter: '5' });
    aborting.abort();
    expect(await third).to.equal('aborted');
    await waiting(1);
    const last = get();
    await waiting(2);
    held.shift()?.();
    expect((await first).status).to.equal(200);
    await until('the second to be sent', () => held.length === 1);
    clock.tick(5000);
    expect(await last).to.include({ status: 503, retryAfter: '5' });
    held.shift()?.();
    expect((await second).status).to.equal(200);
    expect(slow.requests).to.have.length(2);
    await until('nothing to be under way', () => admission?.inFlight === 0);
    expect(admission?.queueLength).to.equal(0);
  });

  it('sends nothing to a target at its limit while another has room', async () => {
    const held: (() => void)[] = [];
    const a = await upstream((_req, res) => held.push(() => res.end('a')));
    const b = await upstream(named('b'));
    await start([a.url, b.url], { concurrency: { perTarget: 1 } });
    const stuck = get();
    await until('the first to arrive', () => a.requests.length === 1);
    expect(await counts(8)).to.deep.equal({ b: 8 });
    held.shift()?.();
    expect((await stuck).from).to.equal('a');
  });

  it('adapts the limit of a target to its latency', async () => {
    const a = await upstream((_req, res) => {
      clock.tick(20);
      res.end('a');
    });
    await start([a.url], { concurrency: { adaptive: { initial: 1, minimum: 1 } } });
    const target = running.gateway.services.get('shop')?.targets[0];
    expect(target?.capacity).to.equal(1);
    await counts(60);
    // All of it was in use, and the latency stayed that of an unloaded target; then it was more than was in use.
    expect(target?.capacity).to.equal(2);
    expect(target?.limiter?.baseline).to.equal(20);
  });
});
