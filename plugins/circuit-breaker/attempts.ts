import {
  type AttemptWrapper,
  type Clock,
  type Exchange,
  GatewayError,
  type Service,
  type Target,
  type UpstreamHead,
} from '../../core/index.js';
import { type Circuit, REFUSED } from './circuit.js';
import type { CircuitBoard } from './circuit-board.js';
import { isBreakOff, isEndless, isUpstreamFault } from './verdict.js';

declare module '../../core/exchange.js' {
  interface Decisions {
    /** How the circuit of the latest attempt stood. */
    circuit: 'closed' | 'open' | 'half-open';
  }
}

/** Refuses a request because a circuit is open: 503 with `Retry-After`. */
export class OpenCircuitError extends GatewayError {
  /**
   * @param retryAfter milliseconds
   * @param anotherTarget whether it is only one target that is cut off
   */
  constructor(retryAfter: number, anotherTarget: boolean) {
    super('SERVICE_UNAVAILABLE', { headers: { 'Retry-After': seconds(retryAfter) }, anotherTarget });
  }
}

/** Milliseconds as `Retry-After` has them (RFC 9110 section 10.2.3): whole seconds, at least one. */
export function seconds(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds / 1000)));
}

/** The circuits that the attempts of a route at a service pass. */
export class GuardedService {
  readonly service: Service;
  readonly board: CircuitBoard;
  /** Of the whole service, once it was needed. */
  #circuit: Circuit | undefined = undefined;

  constructor(service: Service, board: CircuitBoard) {
    this.service = service;
    this.board = board;
  }

  circuitOf(target: Target): Circuit {
    if (this.board.policy.per === 'target') return this.board.ofTarget(this.service.name, target);
    this.#circuit ??= this.board.ofService(this.service.name);
    return this.#circuit;
  }

  /** Whether an attempt would be refused now, whatever target is picked. */
  get refuses(): boolean {
    return this.board.list(this.service).every(({ circuit }) => circuit.refuses);
  }

  /** Milliseconds after which a refused request may be tried again. */
  get retryAfter(): number {
    return Math.min(...this.board.list(this.service).map(({ circuit }) => circuit.retryAfter));
  }
}

/** The circuits that guard a service, or undefined where it has none. */
export type GuardLookup = (service: Service) => GuardedService | undefined;

/** What the attempts of one route pass: the circuit of the service that each of them goes to. */
export function guardAttempts(own: GuardedService, lookUp: GuardLookup, clock: Clock): AttemptWrapper {
  return ({ exchange, target }, next) => {
    const { service } = exchange;
    const guarded = service === own.service ? own : lookUp(service);
    if (guarded === undefined) return next();
    const { per, failures, slowAfter } = guarded.board.policy;
    const circuit = guarded.circuitOf(target);
    const permit = circuit.admit();
    if (permit === REFUSED) {
      exchange.decide('circuit', 'open');
      return Promise.reject(new OpenCircuitError(circuit.retryAfter, per === 'target'));
    }
    exchange.decide('circuit', circuit.state === 'CLOSED' ? 'closed' : 'half-open');
    const timed = slowAfter !== Number.POSITIVE_INFINITY;
    const startedAt = timed ? clock.monotonic() : 0;
    const onFailure = (failure: unknown): never => {
      if (isUpstreamFault(failure)) circuit.fail(permit, timed && clock.monotonic() - startedAt > slowAfter);
      else circuit.release(permit);
      throw failure;
    };
    let pending: Promise<UpstreamHead>;
    try {
      pending = next();
    } catch (failure) {
      return onFailure(failure);
    }
    return pending.then((head) => {
      const slow = timed && clock.monotonic() - startedAt > slowAfter;
      if (failures.has(head.status)) circuit.fail(permit, slow);
      else if (hasBodyToCome(exchange, head)) awaitBody(exchange, circuit, permit, slow);
      else circuit.succeed(permit, slow);
      return head;
    }, onFailure);
  };
}

/** Small bodies have come with their heads, so this is rare. */
function hasBodyToCome({ upstream }: Exchange, head: UpstreamHead): boolean {
  return upstream !== undefined && head === upstream && !upstream.complete && !isEndless(upstream.headers);
}

/**
 * Gives the verdict on a call when its body has ended: a service that breaks off all its bodies would look well by their heads. A
 * probe counts by its head, or long downloads would keep a circuit half-open; it may still turn out to have failed.
 */
function awaitBody(exchange: Exchange, circuit: Circuit, permit: number, slow: boolean): void {
  const { upstream } = exchange;
  const isProbe = circuit.state === 'HALF_OPEN';
  if (isProbe) circuit.succeed(permit, slow);
  exchange.onFinished(() => {
    if (isBreakOff(upstream?.error)) circuit.fail(permit, slow);
    else if (!isProbe) circuit.succeed(permit, slow);
  });
}
