import { expect } from 'chai';
import fc from 'fast-check';
import {
  Circuit,
  type CircuitPolicy,
  REFUSED,
  type Transition,
} from '../../../plugins/circuit-breaker/circuit.js';
import { FakeClock } from '../../support/fake-clock.js';
import { CircuitModel, type ModelCall, type Outcome } from './circuit-model.js';

describe('Circuit, over thousands of random histories', () => {
  const ratio = fc.option(fc.constantFrom(0.1, 0.5, 0.75, 1), { nil: undefined });
  const policies: fc.Arbitrary<CircuitPolicy> = fc.record({
    failureThreshold: fc.nat(6),
    failureRatio: ratio,
    slowRatio: ratio,
    window: fc.constantFrom(1000, 10_007, 60_000),
    minimumCalls: fc.integer({ min: 1, max: 8 }),
    recoveryTimeout: fc.constantFrom(1, 500, 5000),
    probes: fc.integer({ min: 1, max: 4 }),
    successThreshold: fc.integer({ min: 1, max: 4 }),
  });
  const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
    { weight: 4, arbitrary: fc.constant<Outcome>('failed') },
    { weight: 4, arbitrary: fc.constant<Outcome>('ok') },
    { weight: 1, arbitrary: fc.constantFrom<Outcome>('slow', 'slow failure', 'neutral') },
  );
  const steps = fc.oneof(
    { weight: 10, arbitrary: fc.record({ do: fc.constant('call' as const), outcome: outcomes }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('end' as const), which: fc.nat(9), outcome: outcomes }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(6000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constantFrom('open' as const, 'close' as const, 'reset' as const) }),
    },
  );

  it('does what the model does', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(policies, fc.array(steps, { minLength: 5, maxLength: 100 }), (policy, history) => {
        const clock = new FakeClock();
        const transitions: Transition[] = [];
        const circuit = new Circuit(policy, clock, (each) => transitions.push(each));
        const model = new CircuitModel(policy);
        const underWay: { permit: number; call: ModelCall }[] = [];
        const begin = () => {
          const refuses = circuit.refuses;
          const permit = circuit.admit();
          const call = model.admit(clock.monotonic());
          expect(permit === REFUSED, 'refused').to.equal(call === undefined);
          expect(refuses, 'as it said before').to.equal(permit === REFUSED);
          if (call !== undefined) underWay.push({ permit, call });
        };
        const end = (which: number, outcome: Outcome) => {
          const [ended] = underWay.splice(which, 1);
          if (ended === undefined) return;
          model.end(ended.call, outcome, clock.monotonic());
          conclude(circuit, ended.permit, outcome);
        };
        for (const step of history) {
          if (step.do === 'wait') clock.tick(step.ms);
          else if (step.do === 'begin') begin();
          else if (step.do === 'end') end(step.which % Math.max(1, underWay.length), step.outcome);
          else if (step.do === 'call') {
            const before = underWay.length;
            begin();
            if (underWay.length > before) end(before, step.outcome);
          } else if (step.do === 'reset') {
            circuit.reset();
            model.reset();
          } else {
            const state = step.do === 'open' ? 'OPEN' : 'CLOSED';
            circuit.hold(state);
            model.hold(state);
          }
          expect(circuit.state).to.equal(model.state);
          expect(circuit.held).to.equal(model.held);
          expect(circuit.failureCount).to.equal(model.failuresInARow);
          expect(circuit.probesUnderWay).to.equal(circuit.state === 'HALF_OPEN' ? model.probes : 0);
          expect(circuit.probesUnderWay).to.be.within(0, policy.probes);
          const since = model.lastFailure === undefined ? undefined : model.lastFailure - clock.monotonic();
          expect(circuit.lastFailureTime).to.equal(since === undefined ? undefined : clock.now() + since);
        }
        const trips = transitions.filter(({ to, reason }) => to === 'OPEN' && reason !== 'administrator');
        expect(trips.length).to.equal(model.trips);
        for (const { reason } of transitions) seen.add(reason);
      }),
      { numRuns: 5000 },
    );
    expect([...seen].sort(), 'the histories reach everything').to.deep.equal([
      'a probe failed',
      'a probe was slow',
      'administrator',
      'failure ratio',
      'failures in a row',
      'probes succeeded',
      'recovery timeout',
      'slow calls',
    ]);
  });
});

function conclude(circuit: Circuit, permit: number, outcome: Outcome): void {
  if (outcome === 'neutral') circuit.release(permit);
  else if (outcome === 'failed' || outcome === 'slow failure')
    circuit.fail(permit, outcome === 'slow failure');
  else circuit.succeed(permit, outcome === 'slow');
}
