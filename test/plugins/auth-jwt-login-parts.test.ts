import { scrypt } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Logger } from '../../core/index.js';
import { type Derive, hashPassword } from '../../core/secrets/password-hash.js';
import { Login } from '../../plugins/auth-jwt/login/login.js';
import { LoginThrottle } from '../../plugins/auth-jwt/login/login-throttle.js';
import { MemoryRefreshStore } from '../../plugins/auth-jwt/login/memory-refresh-store.js';
import { Sessions } from '../../plugins/auth-jwt/login/sessions.js';
import { Turnstile, TurnstileBusy } from '../../plugins/auth-jwt/login/turnstile.js';
import { Users } from '../../plugins/auth-jwt/login/users.js';
import { FakeClock } from '../support/fake-clock.js';

const CHEAP = { ln: 14, r: 8, p: 1 };

describe('auth-jwt: the parts of a login', () => {
  let passwordHash: string;
  before(async () => {
    passwordHash = await hashPassword('correct horse battery', CHEAP);
  });

  describe('Login', () => {
    const parts = (derive: Derive, limits = { perUser: 5, perAddress: 20, window: 60_000 }) => {
      const clock = new FakeClock();
      const users = new Users([{ username: 'admin', passwordHash, scopes: [], roles: [] }]);
      const throttle = new LoginThrottle(limits, clock);
      return { clock, login: new Login({ users, throttle, turnstile: new Turnstile(2, 50), derive }) };
    };
    const codeOf = (attempt: Promise<unknown>) =>
      attempt.then(
        () => 'OK',
        (error: { code: string }) => error.code,
      );

    it('runs the same scrypt for an unknown user as for a wrong password', async () => {
      const calls: unknown[] = [];
      const { login } = parts((_password, salt, length, cost) => {
        calls.push({ salt: salt.length, length, cost });
        return Promise.resolve(Buffer.alloc(length));
      });
      expect(await codeOf(login.check('admin', 'wrong', '10.0.0.1'))).to.equal('UNAUTHORIZED');
      expect(await codeOf(login.check('nobody', 'wrong', '10.0.0.1'))).to.equal('UNAUTHORIZED');
      expect(calls).to.have.length(2);
      expect(calls[1]).to.deep.equal(calls[0]);
    });

    it('gives many attempts at once no more guesses than one after the other, and runs two at a time', async () => {
      let running = 0;
      let most = 0;
      let calls = 0;
      const { login } = parts(async (_password, _salt, length) => {
        calls += 1;
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setImmediate(resolve));
        running -= 1;
        return Buffer.alloc(length);
      });
      const codes = await Promise.all(
        Array.from({ length: 30 }, () => codeOf(login.check('admin', 'guess', '10.0.0.1'))),
      );
      expect(codes.filter((code) => code === 'UNAUTHORIZED')).to.have.length(5);
      expect(codes.filter((code) => code === 'RATE_LIMITED')).to.have.length(25);
      expect([calls, most]).to.deep.equal([5, 2]);
    });

    it('answers 503 when too many wait, and does not count those', async () => {
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      const limits = { perUser: 1000, perAddress: 53, window: 60_000 };
      const { login } = parts(async (_password, _salt, length) => {
        await held;
        return Buffer.alloc(length);
      }, limits);
      const attempts = Array.from({ length: 53 }, () => codeOf(login.check('admin', 'guess', '10.0.0.1')));
      expect(await attempts[52]).to.equal('SERVICE_UNAVAILABLE');
      release();
      await Promise.all(attempts);
      expect(await codeOf(login.check('admin', 'guess', '10.0.0.1'))).to.equal('UNAUTHORIZED');
      expect(await codeOf(login.check('admin', 'guess', '10.0.0.1'))).to.equal('RATE_LIMITED');
    });

    it('takes a password in any composition of its characters', async () => {
      const derive: Derive = (password, salt, length, cost) =>
        new Promise((resolve, reject) => {
          scrypt(password, salt, length, cost, (error, key) => (error ? reject(error) : resolve(key)));
        });
      const users = new Users([
        {
          username: 'zoë',
          passwordHash: await hashPassword('caf\u00e9 cr\u00e8me', CHEAP),
          scopes: [],
          roles: [],
        },
      ]);
      const throttle = new LoginThrottle({ perUser: 5, perAddress: 5, window: 1000 }, new FakeClock());
      const login = new Login({ users, throttle, turnstile: new Turnstile(2, 2), derive });
      const user = await login.check('zoe\u0308', 'cafe\u0301 cre\u0300me', '::1');
      expect(user.username).to.equal('zo\u00eb');
    });
  });

  describe('LoginThrottle', () => {
    const limits = { perUser: 3, perAddress: 6, window: 60_000 };

    it('never lets more through in a window than its limits, whatever the order', () => {
      const attempt = fc.record({
        user: fc.constantFrom('a', 'b', 'c'),
        address: fc.constantFrom('10.0.0.1', '10.0.0.2', '2001:db8::1', '2001:db8::2'),
        wait: fc.integer({ min: 0, max: 20_000 }),
      });
      fc.assert(
        fc.property(fc.array(attempt, { maxLength: 80 }), (attempts) => {
          const clock = new FakeClock();
          const throttle = new LoginThrottle(limits, clock);
          const tried: { user: string; network: string; at: number }[] = [];
          for (const { user, address, wait } of attempts) {
            clock.tick(wait);
            if (throttle.begin(user, address) > 0) continue;
            tried.push({ user, network: address.slice(0, '2001:db8'.length), at: clock.monotonic() });
          }
          // Windows start with a failure, so that any stretch of one window's length touches two of them at most.
          for (const { at } of tried) {
            const near = tried.filter((each) => each.at >= at && each.at < at + limits.window);
            for (const user of ['a', 'b', 'c']) {
              expect(near.filter((each) => each.user === user).length).to.be.at.most(2 * limits.perUser);
            }
            for (const network of new Set(near.map((each) => each.network))) {
              const there = near.filter((each) => each.network === network);
              expect(there.length).to.be.at.most(2 * limits.perAddress);
            }
          }
        }),
      );
    });

    it('counts one /64 of IPv6 as one address, and mapped IPv4 as IPv4', () => {
      const throttle = new LoginThrottle({ ...limits, perUser: 100, perAddress: 2 }, new FakeClock());
      expect(throttle.begin('a', '2001:db8:0:1::1')).to.equal(0);
      expect(throttle.begin('b', '2001:db8:0:1:ffff::2')).to.equal(0);
      expect(throttle.begin('c', '2001:db8:0:1::3')).to.equal(60_000);
      expect(throttle.begin('c', '2001:db8:0:2::3')).to.equal(0);
      expect(throttle.begin('a', '::ffff:10.0.0.1')).to.equal(0);
      expect(throttle.begin('b', '10.0.0.1')).to.equal(0);
      expect(throttle.begin('c', '10.0.0.1')).to.equal(60_000);
    });

    it('does not let a stranger lock a user out where the user has logged in before', () => {
      const throttle = new LoginThrottle(limits, new FakeClock());
      throttle.begin('admin', '10.0.0.1');
      throttle.succeeded('admin', '10.0.0.1');
      for (let i = 0; i < 3; i++) throttle.begin('admin', '192.0.2.1');
      expect(throttle.begin('admin', '192.0.2.2')).to.equal(60_000);
      expect(throttle.begin('admin', '10.0.0.1')).to.equal(0);
    });
  });

  it('keeps hashes of refresh tokens only, and no more sessions than it may', async () => {
    const clock = new FakeClock();
    const kept: unknown[] = [];
    class Spy extends MemoryRefreshStore {
      override create(...args: Parameters<MemoryRefreshStore['create']>) {
        kept.push(args);
        return super.create(...args);
      }
      override rotate(...args: Parameters<MemoryRefreshStore['rotate']>) {
        kept.push(args);
        return super.rotate(...args);
      }
    }
    const users = new Users([{ username: 'admin', passwordHash, scopes: [], roles: [] }]);
    const user = users.get('admin');
    if (user === undefined) throw new Error('The user got lost');
    const logger: Logger = { debug() {}, info() {}, warn() {}, error() {}, fatal() {}, child: () => logger };
    const sessions = new Sessions({ store: new Spy(2), users, ttl: 1000, clock, logger });
    const tokens = [await sessions.start(user), await sessions.start(user), await sessions.start(user)];
    expect(await sessions.refresh(tokens[0] ?? '')).to.equal(undefined);
    const next = await sessions.refresh(tokens[2] ?? '');
    expect(next?.user).to.equal(user);
    for (const token of [...tokens, next?.token ?? '']) {
      expect(JSON.stringify(kept)).not.to.contain(token.split('.')[1]);
    }
  });

  it('lets a bounded number wait at the turnstile, and goes on after a failure', async () => {
    const turnstile = new Turnstile(1, 1);
    let release = () => {};
    const first = turnstile.run(
      () =>
        new Promise<string>((_resolve, reject) => {
          release = () => reject(new Error('failed'));
        }),
    );
    const second = turnstile.run(async () => 'second');
    expect(await turnstile.run(async () => 'third').catch((error: unknown) => error)).to.be.instanceOf(
      TurnstileBusy,
    );
    release();
    expect(await first.catch((error: Error) => error.message)).to.equal('failed');
    expect(await second).to.equal('second');
    expect(await turnstile.run(async () => 'fourth')).to.equal('fourth');
  });
});
