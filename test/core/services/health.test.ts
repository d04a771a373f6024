import { createServer } from 'node:net';
import { expect } from 'chai';
import { GatewayEvents } from '../../../core/events.js';
import { HealthChecker } from '../../../core/services/health.js';
import { UpstreamPools } from '../../../core/services/pools.js';
import { failureReason, httpProbe, type Probe, statusMatcher } from '../../../core/services/probe.js';
import { FakeClock } from '../../support/fake-clock.js';
import { serve, serviceOf, settingsOf, settle } from './support.js';

interface Asked {
  url: string;
  path: string;
  at: number;
  signal: AbortSignal;
  answer: (status: number) => void;
  fail: (error: Error) => void;
}

describe('HealthChecker', () => {
  function setUp({ answer, random = () => 0.5 }: { answer?: () => number; random?: () => number } = {}) {
    const clock = new FakeClock();
    const events = new GatewayEvents();
    const announced: string[] = [];
    events.on('target.health', ({ service, target, healthy, reason }) => {
      announced.push(`${service} ${target} ${healthy} ${reason}`);
    });
    const asked: Asked[] = [];
    const probe: Probe = ({ url }, path, signal) =>
      new Promise((resolve, reject) => {
        asked.push({ url, path, at: clock.monotonic(), signal, answer: resolve, fail: reject });
        if (answer) resolve(answer());
      });
    const checker = new HealthChecker({ clock, events, probe, random });
    /** Ticks in steps, so that answers arrive in between. */
    const pass = async (ms: number, step = ms) => {
      for (let passed = 0; passed < ms; passed += step) {
        clock.tick(step);
        await settle();
      }
    };
    return { clock, announced, asked, checker, pass };
  }

  it('checks at once, and then at each interval', async () => {
    const { checker, asked, pass } = setUp({ answer: () => 200 });
    const service = serviceOf('a', settingsOf(['http://one:1', 'http://two:2'], { health: { path: '/up' } }));
    checker.watch(service);
    await pass(0, 1);
    await pass(1);
    expect(asked.map(({ url, path }) => `${url}${path}`)).to.deep.equal([
      'http://one:1/up',
      'http://two:2/up',
    ]);
    await pass(60_000, 500);
    expect(asked).to.have.length(6);
    expect(service.targets[0]?.lastHealthCheck).to.be.greaterThan(Date.UTC(2024, 0, 1, 12));
  });

  it('varies the interval by at most a tenth', async () => {
    let draw = 0;
    const { checker, asked, pass } = setUp({ answer: () => 200, random: () => (draw++ * 0.37) % 1 });
    checker.watch(serviceOf('a', settingsOf(['http://one:1'], { health: { interval: 10_000 } })));
    await pass(200_000, 100);
    const gaps = asked.slice(1).map(({ at }, index) => at - (asked[index]?.at ?? 0));
    expect(Math.min(...gaps)).to.be.within(9000, 9500);
    expect(Math.max(...gaps)).to.be.within(10_500, 11_000);
  });

  it('takes a target out after `fall` failures in a row, and back after `rise` successes', async () => {
    let status = 200;
    const { checker, announced, pass } = setUp({ answer: () => status });
    const health = { interval: 1000, fall: 3, rise: 2 };
    const service = serviceOf('a', settingsOf(['http://one:1', ['http://two:2', 0]], { health }));
    const [target] = service.targets;
    checker.watch(service);
    await pass(1);
    status = 503;
    await pass(2000, 1000);
    status = 204;
    await pass(1000);
    status = 503;
    await pass(2000, 1000);
    expect(target?.healthy, 'two in a row are not three').to.equal(true);
    await pass(1000);
    expect(target?.healthy).to.equal(false);
    expect(service.healthy).to.equal(false);
    expect(service.pick(undefined)).to.equal(undefined);
    await pass(3000, 1000);
    status = 200;
    await pass(1000);
    expect(target?.healthy).to.equal(false);
    await pass(1000);
    expect(service.pick(undefined)).to.equal(target);
    expect(announced).to.deep.equal([
      'a http://one:1 false status 503',
      'a http://two:2 false status 503',
      'a http://one:1 true status 200',
      'a http://two:2 true status 200',
    ]);
  });

  it('counts a check that takes too long as failed, and ignores its late answer', async () => {
    const { checker, announced, asked, pass } = setUp();
    const service = serviceOf(
      'a',
      settingsOf(['http://one:1'], { health: { interval: 1000, timeout: 3000, fall: 1 } }),
    );
    checker.watch(service);
    await pass(1);
    await pass(2900, 100);
    expect(asked, 'no second check while one is under way').to.have.length(1);
    expect(service.healthy).to.equal(true);
    await pass(100);
    expect(asked[0]?.signal.aborted).to.equal(true);
    expect(service.healthy).to.equal(false);
    asked[0]?.answer(200);
    await settle();
    expect(service.healthy).to.equal(false);
    expect(announced).to.deep.equal(['a http://one:1 false timeout']);
    expect(asked).to.have.length(2);
  });

  it('shares one check among services, and tells them all', async () => {
    let status = 200;
    const { checker, announced, asked, pass } = setUp({ answer: () => status });
    const services = Array.from({ length: 1000 }, (_, index) =>
      serviceOf(`s${index}`, settingsOf(['http://one:1'])),
    );
    for (const service of services) checker.watch(service);
    expect(checker.size).to.equal(1);
    await pass(1);
    expect(asked).to.have.length(1);
    status = 500;
    await pass(61_000, 1000);
    expect(asked).to.have.length(3);
    expect(services.some(({ healthy }) => healthy)).to.equal(false);
    expect(new Set(announced).size).to.equal(1000);

    const newcomer = serviceOf('late', settingsOf(['http://one:1']));
    checker.watch(newcomer);
    newcomer.refresh();
    expect(newcomer.pick(undefined), 'what is known is known').to.equal(undefined);

    for (const service of services) checker.unwatch(service);
    expect(checker.size).to.equal(1);
    checker.unwatch(newcomer);
    expect(checker.size).to.equal(0);
  });

  it('has one timer for many targets, and spreads their first checks over a second', async () => {
    const { checker, asked, clock, pass } = setUp({ answer: () => 200, random: Math.random });
    const urls = Array.from({ length: 200 }, (_, index) => `http://host-${index}:1`);
    checker.watch(serviceOf('a', settingsOf(urls)));
    expect(clock.pending).to.equal(1);
    await pass(500);
    expect(asked.length).to.be.within(50, 160);
    await pass(501);
    expect(asked).to.have.length(200);
    expect(clock.pending).to.equal(1);
  });

  it('leaves targets alone that are not to be checked', async () => {
    const { checker, asked, clock, pass } = setUp({ answer: () => 500 });
    const service = serviceOf('a', settingsOf(['http://one:1'], { health: { enabled: false } }));
    const [target] = service.targets;
    if (target) target.healthy = false;
    checker.watch(service);
    await pass(60_000, 1000);
    expect(asked).to.have.length(0);
    expect(target?.healthy).to.equal(true);
    expect(clock.pending).to.equal(0);
  });

  it('leaves nothing pending when it stops', async () => {
    const { checker, asked, clock, pass } = setUp();
    checker.watch(serviceOf('a', settingsOf(['http://one:1', 'http://two:2'])));
    await pass(1);
    let stopped = false;
    const stopping = checker.stop().then(() => {
      stopped = true;
    });
    expect(clock.pending).to.equal(0);
    await settle();
    expect(stopped).to.equal(false);
    for (const { signal, fail } of asked) {
      expect(signal.aborted).to.equal(true);
      fail(new Error('aborted'));
    }
    await stopping;
    expect(clock.pending).to.equal(0);
  });
});

describe('httpProbe', () => {
  it('asks the path with GET by the pool of the target, and reads at most 64 KiB', async () => {
    let seen = '';
    let written = 0;
    const upstream = await serve((req, res) => {
      seen = `${req.method} ${req.url}`;
      const more = () => {
        while (!res.destroyed && written < 50_000_000) {
          written += 16_384;
          if (!res.write(Buffer.alloc(16_384))) return res.once('drain', more);
        }
        return res.end();
      };
      more();
    });
    const pools = new UpstreamPools();
    try {
      const dispatcher = pools.acquire(upstream.url, settingsOf([]));
      expect(
        await httpProbe({ url: upstream.url, dispatcher }, '/up?x=1', new AbortController().signal),
      ).to.equal(200);
      expect(seen).to.equal('GET /up?x=1');
      expect(written).to.be.lessThan(40_000_000);
    } finally {
      await pools.closeAll();
      await upstream.close();
    }
  });

  it('rejects when it is aborted, also in the middle of a body', async () => {
    const upstream = await serve((_req, res) => {
      res.write('begun');
      controller.abort();
    });
    const controller = new AbortController();
    const pools = new UpstreamPools();
    try {
      const dispatcher = pools.acquire(upstream.url, settingsOf([]));
      const outcome = await httpProbe({ url: upstream.url, dispatcher }, '/', controller.signal).then(
        () => 'resolved',
        () => 'rejected',
      );
      expect(outcome).to.equal('rejected');
    } finally {
      await pools.closeAll();
      await upstream.close();
    }
  });

  it('fails with a short reason when nobody listens', async () => {
    const port = await new Promise<number>((resolve) => {
      const server = createServer().listen(0, '127.0.0.1', () => {
        const address = server.address();
        server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
      });
    });
    const pools = new UpstreamPools();
    try {
      for (const host of ['127.0.0.1', 'localhost']) {
        const url = `http://${host}:${port}`;
        const dispatcher = pools.acquire(url, settingsOf([]));
        const reason = await httpProbe({ url, dispatcher }, '/', new AbortController().signal).then(
          String,
          failureReason,
        );
        expect(reason).to.equal('connect ECONNREFUSED');
      }
    } finally {
      await pools.closeAll();
    }
  });
});

describe('statusMatcher', () => {
  const cases: [string[], number[], number[]][] = [
    [['2xx'], [200, 204, 299], [199, 300, 503]],
    [['204'], [204], [200, 205]],
    [['200-399'], [200, 304, 399], [199, 400]],
    [['2xx-399'], [200, 399], [400]],
    [
      ['401', '5xx'],
      [401, 500, 599],
      [200, 400],
    ],
  ];
  for (const [forms, accepted, refused] of cases) {
    it(`understands ${forms.join(' ')}`, () => {
      const matches = statusMatcher(forms);
      for (const status of accepted) expect(matches(status), `${status}`).to.equal(true);
      for (const status of refused) expect(matches(status), `${status}`).to.equal(false);
    });
  }
});
