import { expect } from 'chai';
import fc from 'fast-check';
import { Dispatcher } from 'undici';
import type { Exchange } from '../../../core/exchange.js';
import { copyForm, RequestCopies } from '../../../core/proxy/request-copy.js';
import { Admission } from '../../../core/services/limits/admission.js';
import { Service } from '../../../core/services/service.js';
import { Target } from '../../../core/services/target.js';
import { FakeClock } from '../../support/fake-clock.js';
import { settingsOf } from '../services/support.js';

const never = () => undefined;

/** A pool that leaves it to the test what becomes of each request. */
class ScriptedPool extends Dispatcher {
  readonly handlers: Dispatcher.DispatchHandler[] = [];
  readonly options: Dispatcher.DispatchOptions[] = [];
  refuses = false;

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (this.refuses) throw new Error('invalid header');
    this.options.push(options);
    this.handlers.push(handler);
    return true;
  }
}

function setUp() {
  const clock = new FakeClock();
  const pool = new ScriptedPool();
  const settings = settingsOf(['http://shadow.test']);
  const target = new Target({ url: 'http://shadow.test', weight: 1 }, pool);
  const service = new Service({ name: 'shadow', origin: 'configuration', settings, targets: [target] });
  const counts = { sent: 0, failed: 0, busy: 0, unavailable: 0 };
  return { clock, pool, target, service, counts, copies: new RequestCopies(clock, counts) };
}

function exchangeOf(service: Service, more: object = {}): Exchange {
  return {
    req: { method: 'GET', rawHeaders: ['Accept', '*/*', 'Cookie', 'a=b'], headers: {}, httpVersionMajor: 1 },
    peer: { address: '192.0.2.1', node: '192.0.2.1', localPort: '80', trusted: false },
    host: 'shop.test',
    scheme: 'http',
    requestId: 'id',
    path: '/api/v1/orders',
    upstreamPath: '/api/v1?a=1',
    route: { pattern: '/api/v1/orders/**', service },
    service,
    hasBody: false,
    body: undefined,
    ...more,
  } as unknown as Exchange;
}

const form = (maxConcurrent: number) =>
  copyForm({ maxConcurrent, timeout: 1000, without: ['Cookie'], fields: { 'x-mark': '1' } });

/** An operation on the copies, and on the same books kept by a few numbers. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('send' as const) }),
  fc.record({
    kind: fc.constantFrom('connect' as const, 'head' as const, 'end' as const, 'error' as const),
    which: fc.nat(),
  }),
  fc.record({ kind: fc.constant('tick' as const), ms: fc.nat({ max: 700 }) }),
);

describe('RequestCopies', () => {
  it('keeps its books, the target’s and the clock’s through whatever happens', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, most) => {
        const { clock, pool, target, service, counts, copies } = setUp();
        const made: { sentAt: number; answered: boolean; over: boolean }[] = [];
        let busy = 0;
        for (const now of steps) {
          const open = made.filter((copy) => !copy.over).length;
          if (now.kind === 'send') {
            copies.send(exchangeOf(service), service, form(most));
            if (open >= most) busy++;
            else made.push({ sentAt: clock.monotonic(), answered: false, over: false });
          } else if (now.kind === 'tick') {
            clock.tick(now.ms);
            for (const copy of made) if (clock.monotonic() >= copy.sentAt + 1000) copy.over = true;
          } else if (made.length > 0) {
            const index = now.which % made.length;
            const [handler, copy] = [pool.handlers[index], made[index]];
            if (handler === undefined || copy === undefined) throw new Error('A copy was not dispatched');
            // undici tells a handler nothing more after the end.
            if (copy.over && now.kind !== 'connect') continue;
            if (now.kind === 'connect') handler.onConnect?.(never);
            if (now.kind === 'head') handler.onHeaders?.(200, [], never, '');
            if (now.kind === 'end') handler.onComplete?.([]);
            if (now.kind === 'error') handler.onError?.(new Error('broken'));
            if (now.kind === 'head') copy.answered = true;
            if (now.kind === 'end' || now.kind === 'error') copy.over = true;
          }
          const active = made.filter((each) => !each.over).length;
          expect(copies.active).to.equal(active).and.to.be.at.most(most);
          expect(target.active).to.equal(active);
          expect(clock.pending).to.equal(active);
          const failed = made.filter((each) => each.over && !each.answered).length;
          expect(counts).to.deep.equal({ sent: made.length, failed, busy, unavailable: 0 });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('writes the head anew: without what is to stay behind, with the mark, and the base path of the service', () => {
    const { pool, service, copies } = setUp();
    copies.send(exchangeOf(service), service, form(1));
    const { path, method, headers, body } = pool.options[0] ?? expect.fail('nothing was sent');
    expect({ path, method, body }).to.deep.equal({ path: '/api/v1?a=1', method: 'GET', body: null });
    const names = (headers as string[]).filter((_, index) => index % 2 === 0);
    expect(names).to.include.members(['Accept', 'x-forwarded-for', 'x-request-id', 'x-mark']);
    expect(names).not.to.include('Cookie');
  });

  it('does not connect for a copy that was broken off while it waited for a connection', () => {
    const { clock, pool, service, copies } = setUp();
    copies.send(exchangeOf(service), service, form(1));
    clock.tick(1000);
    let refused: Error | undefined;
    pool.handlers[0]?.onConnect?.((error) => {
      refused = error;
    });
    expect(String(refused)).to.contain('not wanted any more');
  });

  it('breaks a copy off that has a connection', () => {
    const { clock, pool, service, copies } = setUp();
    copies.send(exchangeOf(service), service, form(1));
    let aborted = 0;
    pool.handlers[0]?.onConnect?.(() => {
      aborted++;
    });
    clock.tick(999);
    expect(aborted).to.equal(0);
    clock.tick(1);
    expect(aborted).to.equal(1);
  });

  it('counts what the pool refuses as failed, and keeps quiet', () => {
    const { clock, pool, target, service, counts, copies } = setUp();
    pool.refuses = true;
    copies.send(exchangeOf(service), service, form(1));
    expect(counts).to.include({ sent: 1, failed: 1 });
    expect([copies.active, target.active, clock.pending]).to.deep.equal([0, 0, 0]);
  });

  it('takes no more room than the limits of the service leave, waits for none, and gives it back', () => {
    const { clock, pool, target, counts, copies } = setUp();
    const concurrency = { limit: 3, perTarget: 2, queue: 10, maxWait: 1000 };
    const settings = { ...settingsOf(['http://shadow.test']), concurrency };
    const admission = new Admission(clock);
    admission.configure(concurrency, [target]);
    const init = { name: 'shadow', origin: 'configuration', settings, targets: [target], admission } as const;
    const service = new Service(init);
    for (let sent = 0; sent < 3; sent++) copies.send(exchangeOf(service), service, form(10));
    expect(counts).to.include({ sent: 2, unavailable: 1 });
    expect([target.admitted, admission.inFlight, admission.queueLength]).to.deep.equal([2, 2, 0]);
    pool.handlers[0]?.onHeaders?.(200, [], never, '');
    pool.handlers[0]?.onComplete?.([]);
    clock.tick(1000);
    expect([target.admitted, admission.inFlight]).to.deep.equal([0, 0]);
    // The service as a whole may be full while a target is not.
    admission.configure({ ...concurrency, limit: 1 }, [target]);
    for (let sent = 0; sent < 2; sent++) copies.send(exchangeOf(service), service, form(10));
    expect(counts).to.include({ sent: 3, unavailable: 2 });
  });

  it('does not take a body that nobody has read', () => {
    const { service, copies, counts } = setUp();
    const exchange = exchangeOf(service, { hasBody: true });
    expect(() => copies.send(exchange, service, form(1))).to.throw('Read the body');
    expect(counts.sent).to.equal(0);
  });

  it('is closed at once when nothing is under way, and otherwise with the last copy', async () => {
    const { clock, pool, service, copies } = setUp();
    await copies.close(1000);
    copies.send(exchangeOf(service), service, form(2));
    copies.send(exchangeOf(service), service, form(2));
    let closed = false;
    const closing = copies.close(500).then(() => {
      closed = true;
    });
    pool.handlers[0]?.onComplete?.([]);
    await Promise.resolve();
    expect(closed).to.equal(false);
    clock.tick(500);
    await closing;
    expect([copies.active, clock.pending]).to.deep.equal([0, 0]);
  });
});
