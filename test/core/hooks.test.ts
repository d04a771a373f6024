import { expect } from 'chai';
import { blameFor } from '../../core/blame.js';
import { HookRunner } from '../../core/hooks.js';
import type { Hooks } from '../../core/index.js';
import { type Logger, silentLogger } from '../../core/log/logger.js';
import { FakeClock } from '../support/fake-clock.js';
import { catalogueOf, definition, load } from './loader/support.js';

const LIMIT = 1000;
const never = () => new Promise<void>(() => {});
const fail = (text: string) => () => {
  throw new Error(text);
};

describe('HookRunner', () => {
  let calls: string[];
  let errors: Record<string, unknown>[];
  let clock: FakeClock;
  let logger: Logger;
  beforeEach(() => {
    calls = [];
    errors = [];
    clock = new FakeClock();
    logger = { ...silentLogger, error: (fields) => errors.push({ ...fields }) };
  });

  /** Plugins by name, whose hooks are noted before they do what is given. */
  async function runner(plugins: Readonly<Record<string, Hooks | undefined>>): Promise<HookRunner> {
    const definitions = Object.entries(plugins).map(([name, hooks]) =>
      definition(name, {}, hooks === undefined ? {} : { hooks: noted(name, hooks) }),
    );
    const loaded = await load(Object.keys(plugins), catalogueOf(...definitions));
    return new HookRunner(loaded, clock, logger, LIMIT);
  }

  function noted(name: string, hooks: Hooks): Hooks {
    const note = (member: keyof Hooks) => async () => {
      calls.push(`${name}.${member}`);
      await hooks[member]?.({ service: 'x', change: 'added' });
    };
    return {
      onStart: note('onStart'),
      onReady: note('onReady'),
      onServiceChange: note('onServiceChange'),
      onDrain: note('onDrain'),
      onStop: note('onStop'),
    };
  }

  it('starts in declared order and stops in reverse', async () => {
    const hooks = await runner({ a: {}, b: {}, c: undefined });
    await hooks.start();
    await hooks.ready();
    await hooks.drain();
    await hooks.stop();
    expect(calls).to.deep.equal([
      'a.onStart',
      'b.onStart',
      'a.onReady',
      'b.onReady',
      'b.onDrain',
      'a.onDrain',
      'b.onStop',
      'a.onStop',
    ]);
    expect(clock.pending).to.equal(0);
  });

  it('waits for each hook before the next', async () => {
    const hooks = await runner({
      a: {
        onStart: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          calls.push('a has started');
        },
      },
      b: {},
    });
    await hooks.start();
    expect(calls).to.deep.equal(['a.onStart', 'a has started', 'b.onStart']);
  });

  it('calls a hook on its hooks, so that `this` is what the author wrote', async () => {
    const seen: unknown[] = [];
    const own = {
      onStart(this: unknown) {
        seen.push(this);
      },
    };
    const loaded = await load(['a'], catalogueOf(definition('a', {}, { hooks: own })));
    await new HookRunner(loaded, clock, logger, LIMIT).start();
    expect(seen).to.deep.equal([own]);
  });

  it('stops the start at the first failure, stamped with plugin and member', async () => {
    const hooks = await runner({ a: {}, b: { onStart: fail('no database') }, c: {} });
    const failure = await hooks.start().catch((error: unknown) => error);
    expect(failure).to.be.an('error').with.property('message', 'no database');
    expect(blameFor(failure)).to.deep.equal({ plugin: 'b', member: 'onStart' });
    expect(calls).to.deep.equal(['a.onStart', 'b.onStart']);
  });

  it('stops those that were started, the failed one included, and no others', async () => {
    const hooks = await runner({ a: {}, b: { onStart: fail('no database') }, c: {} });
    await hooks.start().catch(() => {});
    calls.length = 0;
    await hooks.stop();
    expect(calls).to.deep.equal(['b.onStop', 'a.onStop']);
    await hooks.stop();
    expect(calls).to.have.length(2);
  });

  it('gives a hook its time, and not more', async () => {
    const hooks = await runner({ a: { onStart: never } });
    let failure: unknown;
    const started = hooks.start().catch((error: unknown) => {
      failure = error;
    });
    clock.tick(LIMIT - 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failure).to.equal(undefined);
    clock.tick(1);
    await started;
    expect(failure)
      .to.be.an('error')
      .with.property('message')
      .that.contains('onStart took longer than 1000 ms');
    expect(blameFor(failure)).to.deep.equal({ plugin: 'a', member: 'onStart' });
    expect(clock.pending).to.equal(0);
  });

  it('logs the failures of other hooks, and goes on', async () => {
    const hooks = await runner({
      a: { onReady: fail('a') },
      b: {
        onReady: fail('b'),
        onServiceChange: fail('change'),
        onDrain: fail('drain'),
        onStop: () => Promise.reject(new Error('stop')),
      },
    });
    await hooks.start();
    await hooks.ready();
    await hooks.serviceChange({ service: 'x', change: 'added' });
    await hooks.drain();
    await hooks.stop();
    expect(errors.map(({ plugin, member }) => `${plugin}.${member}`)).to.deep.equal([
      'a.onReady',
      'b.onReady',
      'b.onServiceChange',
      'b.onDrain',
      'b.onStop',
    ]);
    expect(calls.slice(-2)).to.deep.equal(['b.onStop', 'a.onStop']);
  });

  it('does not let one that hangs keep the others from stopping', async () => {
    const hooks = await runner({ a: {}, b: { onStop: never } });
    await hooks.start();
    const stopped = hooks.stop();
    await new Promise((resolve) => setImmediate(resolve));
    clock.tick(LIMIT);
    await stopped;
    expect(calls.slice(-2)).to.deep.equal(['b.onStop', 'a.onStop']);
    expect(errors).to.have.length(1);
  });
});
