import { expect } from 'chai';
import fc from 'fast-check';
import type { ConcurrencySettings } from '../../../../core/config/service-schema.js';
import type { GatewayError } from '../../../../core/errors.js';
import { Admission } from '../../../../core/services/limits/admission.js';
import type { Target } from '../../../../core/services/target.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { registryOf, reload, serviceOf, settingsOf, settle, targetOf } from '../support.js';

const OFF: ConcurrencySettings = { limit: 0, perTarget: 0, queue: 0, maxWait: 1000 };

/** A request whose client a test can make go away. */
class Client {
  readonly #callbacks: (() => void)[] = [];

  onFinished(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  leave(): void {
    for (const callback of this.#callbacks.splice(0)) callback();
  }
}

function setUp(settings: Partial<ConcurrencySettings>) {
  const clock = new FakeClock();
  const targets: [Target, Target, Target] = [targetOf('a'), targetOf('b'), targetOf('c')];
  const admission = new Admission(clock);
  admission.configure({ ...OFF, ...settings }, targets);
  const said: string[] = [];
  const clients = new Map<string, Client>();
  /** Asks to be let in, and notes what becomes of it. */
  const enter = (name: string, target: Target = targets[0]) => {
    const client = new Client();
    clients.set(name, client);
    const entry = admission.enter(target, client);
    if (entry === undefined) said.push(`${name} in`);
    else {
      entry.then(
        () => said.push(`${name} in after a wait`),
        (error: GatewayError) => said.push(`${name} ${error.code} ${JSON.stringify(error.headers ?? null)}`),
      );
    }
  };
  const heard = async () => {
    for (let turn = 0; turn < 8; turn++) await undefined;
    return said.splice(0);
  };
  return { clock, targets, admission, enter, heard, clients };
}

describe('Admission', () => {
  it('refuses at once what is over the limit of the service, where there is no queue', async () => {
    const { admission, targets, enter, heard } = setUp({ limit: 2 });
    for (const [name, target] of [
      ['1', targets[0]],
      ['2', targets[1]],
      ['3', targets[2]],
    ] as const)
      enter(name, target);
    expect(await heard()).to.deep.equal(['1 in', '2 in', '3 SERVICE_UNAVAILABLE {"retry-after":"1"}']);
    admission.leave(targets[1], 5, true);
    enter('4');
    expect(await heard()).to.deep.equal(['4 in']);
    expect(admission.inFlight).to.equal(2);
  });

  it('lets those who wait in first come first served, and newcomers not before them', async () => {
    const { admission, targets, enter, heard } = setUp({ limit: 1, queue: 2 });
    for (const name of ['1', '2', '3', '4']) enter(name);
    expect(await heard()).to.deep.equal(['1 in', '4 SERVICE_UNAVAILABLE {"retry-after":"1"}']);
    expect(admission.queueLength).to.equal(2);
    admission.leave(targets[0], 5, true);
    enter('5');
    admission.leave(targets[0], 5, true);
    expect(await heard()).to.deep.equal(['2 in after a wait', '3 in after a wait']);
    admission.leave(targets[0], 5, true);
    expect(await heard()).to.deep.equal(['5 in after a wait']);
  });

  it('does not let one target hold up another', async () => {
    const { admission, targets, enter, heard } = setUp({ perTarget: 1, queue: 10 });
    const [a, b] = targets;
    enter('a1', a);
    enter('b1', b);
    enter('a2', a);
    enter('b2', b);
    admission.leave(b, 5, true);
    expect(await heard()).to.deep.equal(['a1 in', 'b1 in', 'b2 in after a wait']);
    admission.leave(a, 5, true);
    expect(await heard()).to.deep.equal(['a2 in after a wait']);
  });

  it('refuses who has waited too long, and says when to come again', async () => {
    const { clock, targets, admission, enter, heard } = setUp({ limit: 1, queue: 5, maxWait: 2500 });
    enter('1');
    enter('2');
    clock.tick(1000);
    enter('3');
    clock.tick(1499);
    expect(await heard()).to.deep.equal(['1 in']);
    clock.tick(1);
    expect(await heard()).to.deep.equal(['2 SERVICE_UNAVAILABLE {"retry-after":"3"}']);
    admission.leave(targets[0], 5, true);
    expect(await heard()).to.deep.equal(['3 in after a wait']);
    expect(clock.pending).to.equal(0);
  });

  it('forgets a client that is gone, and gives its place to the next', async () => {
    const { clock, targets, admission, enter, heard, clients } = setUp({ limit: 1, queue: 1 });
    enter('1');
    enter('2');
    clients.get('2')?.leave();
    enter('3');
    expect(await heard()).to.deep.equal(['1 in', '2 CLIENT_CLOSED_REQUEST null']);
    admission.leave(targets[0], 5, true);
    clients.get('3')?.leave();
    expect(await heard()).to.deep.equal(['3 in after a wait']);
    expect(admission.inFlight).to.equal(1);
    expect(clock.pending).to.equal(0);
  });

  it('lets in at once whom a new limit has room for', async () => {
    const { targets, admission, enter, heard } = setUp({ limit: 1, queue: 5 });
    for (const name of ['1', '2', '3', '4']) enter(name);
    admission.configure({ ...OFF, limit: 2, queue: 5 }, targets);
    expect(await heard()).to.deep.equal(['1 in', '2 in after a wait']);
    admission.configure(undefined, targets);
    expect(await heard()).to.deep.equal(['3 in after a wait', '4 in after a wait']);
    expect(admission.inFlight).to.equal(4);
  });

  it('gives the room in the service to another target, where the one that was left is still over its own limit', async () => {
    const { targets, admission, enter, heard } = setUp({ limit: 2, queue: 5 });
    const [a, b] = targets;
    enter('a1', a);
    enter('a2', a);
    enter('b1', b);
    admission.configure({ ...OFF, limit: 2, perTarget: 1, queue: 5 }, targets);
    admission.leave(a, 5, true);
    expect(await heard()).to.deep.equal(['a1 in', 'a2 in', 'b1 in after a wait']);
  });

  it('follows the latency of each target, where the limit is an adaptive one', () => {
    const adaptive = { minimum: 2, initial: 10, maximum: 50, tolerance: 0.5 };
    const { clock, targets, admission } = setUp({ adaptive, perTarget: 40 });
    const [a, b] = targets;
    expect([a.capacity, b.capacity]).to.deep.equal([10, 10]);
    for (let round = 0; round < 50; round++) {
      const latency = round < 5 ? 10 : 200;
      for (let request = 0; request < 10; request++) admission.enter(a, new Client());
      clock.tick(latency);
      for (let left = a.admitted; left > 0; left--) admission.leave(a, latency, true);
    }
    expect(a.capacity).to.be.within(2, 5);
    expect(b.capacity).to.equal(10);
    const { limiter } = a;
    admission.configure({ ...OFF, adaptive: { ...adaptive }, perTarget: 40, limit: 3 }, targets);
    expect(a.limiter, 'kept').to.equal(limiter);
    admission.configure({ ...OFF, adaptive, perTarget: 5 }, targets);
    expect(a.capacity, 'fresh').to.equal(5);
    admission.configure({ ...OFF, perTarget: 7 }, targets);
    expect([a.capacity, a.limiter]).to.deep.equal([7, undefined]);
  });
});

describe('a service with limits', () => {
  it('has no admission where nothing is limited', () => {
    const { registry } = registryOf(new FakeClock());
    expect(reload(registry, settingsOf(['http://a:1'])).admission).to.equal(undefined);
    expect(reload(registry, settingsOf(['http://a:1'], { concurrency: {} })).admission).to.equal(undefined);
    expect(
      reload(registry, settingsOf(['http://a:1'], { concurrency: { limit: 1 } })).admission,
    ).to.be.an.instanceOf(Admission);
  });

  for (const algorithm of [
    'round-robin',
    'least-connections',
    'power-of-two-choices',
    'consistent-hash',
  ] as const) {
    it(`does not pick a target at its limit while others have room: ${algorithm}`, () => {
      const service = serviceOf(
        'a',
        settingsOf(['http://a:1', ['http://b:1', 3], 'http://c:1'], { loadBalancing: { algorithm } }),
      );
      const [a, b, c] = service.targets;
      if (!a || !b || !c) throw new Error('no targets');
      for (const target of service.targets) target.capacity = 2;
      b.admitted = 2;
      for (let pick = 0; pick < 50; pick++) expect(service.pick(undefined)).not.to.equal(b);
      for (let pick = 0; pick < 50; pick++) expect(service.pick(undefined, [a])).to.equal(c);
      a.admitted = 2;
      c.admitted = 3;
      expect(service.targets, 'all full').to.include(service.pick(undefined));
      expect(service.pick(undefined, [a, b])).to.equal(c);
    });
  }

  it('keeps its queue over a reload, and lets everybody in when the limits go', async () => {
    const { registry } = registryOf(new FakeClock());
    const limited = (limit: number) => settingsOf(['http://a:1'], { concurrency: { limit, queue: 9 } });
    const service = reload(registry, limited(1));
    const [target] = service.targets;
    if (target === undefined) throw new Error('no target');
    const waits = [1, 2, 3].map(() => service.admission?.enter(target, new Client()));
    let admitted = 0;
    for (const wait of waits) wait?.then(() => admitted++);
    const wider = reload(registry, limited(2));
    await settle();
    expect(wider.admission).to.equal(service.admission);
    expect([admitted, target.admitted]).to.deep.equal([1, 2]);
    service.admission?.leave(target, 1, true);
    await settle();
    expect(admitted).to.equal(2);
    const late = wider.admission?.enter(target, new Client());
    const free = reload(registry, settingsOf(['http://a:1']));
    expect(free.admission).to.equal(undefined);
    await late;
    expect(target.full).to.equal(false);
  });
});

describe('Admission, against a model', () => {
  type Entry = { name: string; target: number; deadline: number };

  /** Admission in the plainest words: after each event, everybody in the queue asks again, from the first on. */
  class Model {
    readonly said: string[] = [];
    settings: ConcurrencySettings;
    now = 0;
    inFlight: Entry[] = [];
    queue: Entry[] = [];

    constructor(settings: ConcurrencySettings) {
      this.settings = settings;
    }

    enter(name: string, target: number): void {
      const entry = { name, target, deadline: this.now + this.settings.maxWait };
      if (this.#hasRoom(target)) {
        this.inFlight.push(entry);
        this.said.push(`${name} in`);
      } else if (this.queue.length >= this.settings.queue) this.said.push(`${name} SERVICE_UNAVAILABLE`);
      else this.queue.push(entry);
    }

    leave(position: number): void {
      this.inFlight.splice(position, 1);
      this.letIn();
    }

    abandon(position: number): void {
      const [gone] = this.queue.splice(position, 1);
      this.said.push(`${gone?.name} CLIENT_CLOSED_REQUEST`);
    }

    tick(ms: number): void {
      this.now += ms;
      for (const { name } of this.queue.filter(({ deadline }) => deadline <= this.now))
        this.said.push(`${name} SERVICE_UNAVAILABLE`);
      this.queue = this.queue.filter(({ deadline }) => deadline > this.now);
    }

    letIn(): void {
      for (const entry of [...this.queue]) {
        if (!this.#hasRoom(entry.target)) continue;
        this.queue.splice(this.queue.indexOf(entry), 1);
        this.inFlight.push(entry);
        this.said.push(`${entry.name} in after a wait`);
      }
    }

    #hasRoom(target: number): boolean {
      const { limit, perTarget } = this.settings;
      const same = this.inFlight.filter((entry) => entry.target === target).length;
      return (limit === 0 || this.inFlight.length < limit) && (perTarget === 0 || same < perTarget);
    }
  }

  const limits = fc.record({
    limit: fc.integer({ min: 0, max: 5 }),
    perTarget: fc.integer({ min: 0, max: 3 }),
    queue: fc.integer({ min: 0, max: 4 }),
    maxWait: fc.constantFrom(10, 50, 1000),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ enter: fc.nat(2) }) },
    { weight: 4, arbitrary: fc.record({ leave: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ abandon: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ tick: fc.constantFrom(1, 9, 10, 60) }) },
    { weight: 1, arbitrary: fc.record({ limits }) },
  );

  it('lets in, keeps waiting and refuses whom the model does, in every history', async () => {
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { maxLength: 60 }), async (first, steps) => {
        const { clock, targets, admission, enter, heard, clients } = setUp(first);
        const model = new Model(first);
        for (const [number, action] of steps.entries()) {
          if ('enter' in action) {
            const name = String(number);
            enter(name, targets[action.enter]);
            model.enter(name, action.enter);
          } else if ('leave' in action) {
            if (model.inFlight.length === 0) continue;
            const position = action.leave % model.inFlight.length;
            const target = targets[model.inFlight[position]?.target ?? 0];
            if (target) admission.leave(target, 1, true);
            model.leave(position);
          } else if ('abandon' in action) {
            if (model.queue.length === 0) continue;
            const position = action.abandon % model.queue.length;
            clients.get(model.queue[position]?.name ?? '')?.leave();
            model.abandon(position);
          } else if ('tick' in action) {
            clock.tick(action.tick);
            model.tick(action.tick);
          } else {
            admission.configure(action.limits, targets);
            model.settings = action.limits;
            model.letIn();
          }
          const lines = (await heard()).map((line) => line.replace(/ (?:null|\{.*)$/, ''));
          // What is refused at the same time has no order; who is let in has one.
          const isRefusal = (line: string) => line.endsWith('SERVICE_UNAVAILABLE');
          expect(lines.filter((line) => !isRefusal(line))).to.deep.equal(
            model.said.filter((line) => !isRefusal(line)),
          );
          expect(lines.filter(isRefusal).sort()).to.deep.equal(model.said.splice(0).filter(isRefusal).sort());
          expect(admission.inFlight).to.equal(model.inFlight.length);
          expect(admission.queueLength).to.equal(model.queue.length);
          expect(targets.map(({ admitted }) => admitted)).to.deep.equal(
            [0, 1, 2].map((index) => model.inFlight.filter(({ target }) => target === index).length),
          );
          expect(clock.pending).to.equal(model.queue.length === 0 ? 0 : 1);
        }
      }),
      { numRuns: 3000 },
    );
  }).timeout(60_000);
});
