import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { UpstreamPools } from '../../../core/services/pools.js';
import { TlsFileError } from '../../../core/services/tls-files.js';
import { FakeClock } from '../../support/fake-clock.js';
import { FakeDispatcher, serve, settingsOf, settle } from './support.js';

const settings = settingsOf(['http://a:1']);

describe('UpstreamPools', () => {
  function setUp({ busy = false } = {}) {
    const clock = new FakeClock();
    const made: FakeDispatcher[] = [];
    const factory = (origin: string) => {
      const dispatcher = new FakeDispatcher(origin, busy);
      made.push(dispatcher);
      return dispatcher;
    };
    return { clock, made, pools: new UpstreamPools({ clock, factory, linger: 1000, grace: 500 }) };
  }

  it('has one pool for each origin and connection settings', () => {
    const { pools, made } = setUp();
    const pool = pools.acquire('http://a:1', settings);
    expect(pools.acquire('http://a:1/', settingsOf([], { health: { path: '/x' } }))).to.equal(pool);
    const others = [
      pools.acquire('http://a:2', settings),
      pools.acquire('http://a:1', settingsOf([], { pool: { connections: 1 } })),
      pools.acquire('http://a:1', settingsOf([], { pool: { keepAlive: 1 } })),
      pools.acquire('http://a:1', settingsOf([], { timeout: { connect: 1 } })),
      pools.acquire('http://a:1', settingsOf([], { tls: { verify: false } })),
      pools.acquire('http://a:1', settingsOf([], { tls: { servername: 'b' } })),
    ];
    expect(new Set([pool, ...others]).size).to.equal(7);
    expect(made).to.have.length(7);
  });

  it('closes a pool when its last user has released it and it has lingered', async () => {
    const { pools, made, clock } = setUp();
    const pool = pools.acquire('http://a:1', settings);
    pools.acquire('http://a:1', settings);
    pools.release(pool);
    clock.tick(5000);
    expect(made[0]?.state).to.equal('open');
    pools.release(pool);
    clock.tick(999);
    expect(made[0]?.state).to.equal('open');
    clock.tick(1);
    expect(made[0]?.state).to.equal('closed');
    await settle();
    expect(pools.size).to.equal(0);
    expect(clock.pending).to.equal(0);
  });

  it('goes on with a pool that is acquired again while it lingers', () => {
    const { pools, made, clock } = setUp();
    const pool = pools.acquire('http://a:1', settings);
    pools.release(pool);
    clock.tick(999);
    expect(pools.acquire('http://a:1', settings)).to.equal(pool);
    clock.tick(10_000);
    expect(made[0]?.state).to.equal('open');
  });

  it('destroys a pool whose requests outlast the grace period', async () => {
    const { pools, made, clock } = setUp({ busy: true });
    pools.release(pools.acquire('http://a:1', settings));
    clock.tick(1000);
    clock.tick(499);
    expect(made[0]?.state).to.equal('closing');
    clock.tick(1);
    expect(made[0]?.state).to.equal('destroyed');
    await settle();
    expect(clock.pending).to.equal(0);
  });

  it('closes all pools, also those in use and those that linger', async () => {
    const { pools, made, clock } = setUp();
    pools.acquire('http://a:1', settings);
    pools.release(pools.acquire('http://a:2', settings));
    await pools.closeAll();
    expect(made.map(({ state }) => state)).to.deep.equal(['closed', 'closed']);
    expect(clock.pending).to.equal(0);
  });

  it('names the file and the setting of a TLS file that cannot be used', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pools-'));
    try {
      const file = join(directory, 'no.pem');
      await writeFile(file, 'no certificate');
      for (const name of ['ca', 'cert', 'key'] as const) {
        for (const [path, reason] of [
          [join(directory, 'missing.pem'), 'ENOENT'],
          [file, ''],
        ] as const) {
          const { pools } = setUp();
          const attempt = () => pools.acquire('https://a', settingsOf([], { tls: { [name]: path } }));
          expect(attempt, `${name} ${path}`).to.throw(
            TlsFileError,
            `tls.${name}: found the file '${path}', which cannot be used (${reason}`,
          );
          expect(pools.size).to.equal(0);
        }
      }
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('keeps connections, one request at a time each, up to the limit', async () => {
    let most = 0;
    const held: (() => void)[] = [];
    const upstream = await serve((_req, res) => {
      held.push(() => res.end('ok'));
      most = Math.max(most, upstream.sockets.size);
      if (held.length === 2) for (const end of held.splice(0)) end();
    });
    const pools = new UpstreamPools();
    try {
      const pool = pools.acquire(upstream.url, settingsOf([], { pool: { connections: 2 } }));
      const answers = Array.from({ length: 8 }, async () => {
        const { statusCode, body } = await pool.request({ origin: upstream.url, path: '/', method: 'GET' });
        return `${statusCode} ${await body.text()}`;
      });
      expect(await Promise.all(answers)).to.deep.equal(Array.from({ length: 8 }, () => '200 ok'));
      expect(most).to.equal(2);
    } finally {
      await pools.closeAll();
      await upstream.close();
    }
  });
});
