import { expect } from 'chai';
import {
  Circuit,
  type CircuitPolicy,
  REFUSED,
  type Transition,
} from '../../../plugins/circuit-breaker/circuit.js';
import { FakeClock } from '../../support/fake-clock.js';

const POLICY: CircuitPolicy = {
  failureThreshold: 5,
  failureRatio: undefined,
  slowRatio: undefined,
  window: 16_000,
  minimumCalls: 4,
  recoveryTimeout: 60_000,
  probes: 2,
  successThreshold: 3,
};

interface Setup {
  readonly circuit: Circuit;
  readonly clock: FakeClock;
  readonly transitions: Transition[];
}

function setUp(policy: Partial<CircuitPolicy> = {}): Setup {
  const clock = new FakeClock();
  const transitions: Transition[] = [];
  const circuit = new Circuit({ ...POLICY, ...policy }, clock, (each) => transitions.push(each));
  return { circuit, clock, transitions };
}

function fail(circuit: Circuit, times: number): void {
  for (let i = 0; i < times; i++) circuit.fail(circuit.admit());
}

function succeed(circuit: Circuit, times: number): void {
  for (let i = 0; i < times; i++) circuit.succeed(circuit.admit());
}

describe('Circuit', () => {
  it('opens after five failures in a row, not before, and refuses for 60 seconds to the millisecond', () => {
    const { circuit, clock } = setUp();
    fail(circuit, 4);
    expect(circuit.state).to.equal('CLOSED');
    fail(circuit, 1);
    expect(circuit.state).to.equal('OPEN');
    expect(circuit.admit()).to.equal(REFUSED);
    clock.tick(59_999);
    expect(circuit.admit()).to.equal(REFUSED);
    expect(circuit.retryAfter).to.equal(1);
    clock.tick(1);
    expect(circuit.refuses).to.equal(false);
    expect(circuit.admit()).not.to.equal(REFUSED);
    expect(circuit.state).to.equal('HALF_OPEN');
  });

  it('counts in a row: a success starts over', () => {
    const { circuit } = setUp();
    for (let round = 0; round < 10; round++) {
      fail(circuit, 4);
      expect(circuit.failureCount).to.equal(4);
      succeed(circuit, 1);
      expect(circuit.failureCount).to.equal(0);
    }
    expect(circuit.state).to.equal('CLOSED');
  });

  it('tells when a call last failed, also after successes', () => {
    const { circuit, clock } = setUp();
    expect(circuit.lastFailureTime).to.equal(undefined);
    clock.tick(1000);
    fail(circuit, 1);
    const at = clock.now();
    clock.tick(1000);
    succeed(circuit, 1);
    expect(circuit.lastFailureTime).to.equal(at);
  });

  describe('half-open', () => {
    function halfOpen(policy: Partial<CircuitPolicy> = {}): Setup {
      const made = setUp(policy);
      fail(made.circuit, 5);
      made.clock.tick(60_000);
      return made;
    }

    it('lets so many probes pass at a time, and closes after so many successes', () => {
      const { circuit, transitions } = halfOpen();
      const [first, second] = [circuit.admit(), circuit.admit()];
      expect(circuit.admit()).to.equal(REFUSED);
      expect(circuit.probesUnderWay).to.equal(2);
      circuit.succeed(first);
      const third = circuit.admit();
      expect(third).not.to.equal(REFUSED);
      circuit.succeed(second);
      expect(circuit.state).to.equal('HALF_OPEN');
      circuit.succeed(third);
      expect(circuit.state).to.equal('CLOSED');
      expect(circuit.failureCount).to.equal(0);
      expect(transitions).to.deep.equal([
        { from: 'CLOSED', to: 'OPEN', reason: 'failures in a row' },
        { from: 'OPEN', to: 'HALF_OPEN', reason: 'recovery timeout' },
        { from: 'HALF_OPEN', to: 'CLOSED', reason: 'probes succeeded' },
      ]);
    });

    it('opens again at the first failure, for the whole time', () => {
      const { circuit, clock } = halfOpen();
      const other = circuit.admit();
      fail(circuit, 1);
      expect(circuit.state).to.equal('OPEN');
      expect(circuit.failureCount).to.equal(6);
      circuit.succeed(other);
      clock.tick(59_999);
      expect(circuit.admit()).to.equal(REFUSED);
      clock.tick(1);
      expect(circuit.admit()).not.to.equal(REFUSED);
    });

    it('gets the slot back of a probe that says nothing', () => {
      const { circuit } = halfOpen({ probes: 1, successThreshold: 1 });
      for (let i = 0; i < 10; i++) {
        const permit = circuit.admit();
        expect(permit).not.to.equal(REFUSED);
        expect(circuit.admit()).to.equal(REFUSED);
        circuit.release(permit);
      }
      expect(circuit.state).to.equal('HALF_OPEN');
      succeed(circuit, 1);
      expect(circuit.state).to.equal('CLOSED');
    });

    it('gives slots of probes that never end to others after the recovery timeout', () => {
      const { circuit, clock } = halfOpen();
      const lost = [circuit.admit(), circuit.admit()];
      clock.tick(59_999);
      expect(circuit.admit()).to.equal(REFUSED);
      clock.tick(1);
      const permit = circuit.admit();
      expect(permit).not.to.equal(REFUSED);
      expect(circuit.probesUnderWay).to.equal(1);
      for (const each of lost) circuit.release(each);
      expect(circuit.probesUnderWay, 'a lost one frees no slot that is not its').to.equal(1);
      circuit.succeed(permit);
      expect(circuit.probesUnderWay).to.equal(0);
    });

    it('opens again where a probe that had seemed to succeed breaks off', () => {
      const { circuit } = halfOpen();
      const permit = circuit.admit();
      circuit.succeed(permit);
      circuit.fail(permit);
      expect(circuit.state).to.equal('OPEN');
    });

    it('closes for nobody who was let in before', () => {
      const { circuit, clock } = setUp();
      const old = circuit.admit();
      fail(circuit, 5);
      clock.tick(60_000);
      circuit.admit();
      for (let i = 0; i < 10; i++) circuit.succeed(old);
      circuit.fail(old);
      circuit.release(old);
      expect(circuit.state).to.equal('HALF_OPEN');
      expect(circuit.probesUnderWay).to.equal(1);
    });
  });

  describe('shares in the window', () => {
    it('open it from the minimum of calls on', () => {
      const { circuit, transitions } = setUp({ failureThreshold: 0, failureRatio: 0.5 });
      succeed(circuit, 1);
      fail(circuit, 2);
      expect(circuit.state, 'three calls are too few').to.equal('CLOSED');
      succeed(circuit, 1);
      expect(circuit.state).to.equal('OPEN');
      expect(transitions[0]?.reason).to.equal('failure ratio');
    });

    it('forget what is older than the window', () => {
      const { circuit, clock } = setUp({ failureThreshold: 0, failureRatio: 0.5 });
      fail(circuit, 3);
      clock.tick(16_000);
      fail(circuit, 1);
      succeed(circuit, 2);
      expect(circuit.state).to.equal('CLOSED');
    });

    it('of slow calls open it, and a slow probe opens it again', () => {
      const { circuit, clock, transitions } = setUp({ slowRatio: 0.5 });
      succeed(circuit, 2);
      circuit.succeed(circuit.admit(), true);
      circuit.succeed(circuit.admit(), true);
      expect(circuit.state).to.equal('OPEN');
      expect(circuit.failureCount, 'slow is not failed').to.equal(0);
      clock.tick(60_000);
      circuit.succeed(circuit.admit(), true);
      expect(circuit.state).to.equal('OPEN');
      expect(transitions.map(({ reason }) => reason)).to.deep.equal([
        'slow calls',
        'recovery timeout',
        'a probe was slow',
      ]);
    });

    it('start empty when it has closed', () => {
      const { circuit, clock } = setUp({ failureThreshold: 0, failureRatio: 0.5, window: 1_000_000 });
      fail(circuit, 4);
      expect(circuit.state).to.equal('OPEN');
      clock.tick(60_000);
      succeed(circuit, 3);
      expect(circuit.state).to.equal('CLOSED');
      fail(circuit, 1);
      succeed(circuit, 3);
      expect(circuit.state).to.equal('CLOSED');
    });
  });

  describe('in the hands of an administrator', () => {
    it('stays open however long, until it is closed', () => {
      const { circuit, clock } = setUp();
      circuit.hold('OPEN');
      clock.tick(10_000_000);
      expect(circuit.admit()).to.equal(REFUSED);
      expect(circuit.retryAfter).to.equal(60_000);
      circuit.hold('CLOSED');
      expect(circuit.admit()).not.to.equal(REFUSED);
    });

    it('stays closed whatever fails, and still counts', () => {
      const { circuit } = setUp({ failureRatio: 0.1 });
      circuit.hold('CLOSED');
      fail(circuit, 50);
      expect(circuit.state).to.equal('CLOSED');
      expect(circuit.failureCount).to.equal(50);
    });

    it('starts afresh when it is reset', () => {
      const { circuit, transitions } = setUp();
      const old = circuit.admit();
      fail(circuit, 4);
      circuit.reset();
      expect([circuit.failureCount, circuit.lastFailureTime]).to.deep.equal([0, undefined]);
      circuit.fail(old);
      expect(circuit.failureCount, 'of a call before the reset').to.equal(0);
      expect(transitions, 'it was closed, and is').to.deep.equal([]);
      circuit.hold('OPEN');
      circuit.reset();
      expect([circuit.state, circuit.held]).to.deep.equal(['CLOSED', false]);
      fail(circuit, 5);
      expect(circuit.state).to.equal('OPEN');
    });
  });
});
