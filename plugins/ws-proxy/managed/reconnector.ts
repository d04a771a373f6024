import type { AttemptUpgrade, Clock, Exchange, ServiceRegistry, Target, Timer } from '../../../core/index.js';
import type { WsProxyOptions } from '../options.js';
import type { OpenedUpstream } from './open-upstream.js';

/** What is needed to connect again. */
export interface ReconnectorInit {
  readonly exchange: Exchange;
  readonly attempt: AttemptUpgrade;
  /** Connects to one target; see {@link AttemptUpgrade}. Rejects when `signal` says so. */
  readonly connect: (signal: AbortSignal) => (
    target: Target,
    fields: readonly string[],
  ) => Promise<{
    readonly status: number;
    readonly headers: readonly string[];
    readonly opened: OpenedUpstream | undefined;
  }>;
  readonly services: ServiceRegistry;
  readonly clock: Clock;
  readonly options: WsProxyOptions['reconnect'];
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * Connects a relay again after its upstream was lost: to another target where there is one, with a wait before each attempt
 * that doubles, and a random part in it, so that the clients of a target that was lost do not all come at once.
 */
export class Reconnector {
  readonly #init: ReconnectorInit;
  #timer: Timer | undefined;
  #abort: AbortController | undefined;

  constructor(init: ReconnectorInit) {
    this.#init = init;
  }

  /** Calls one of the two, once, unless it is cancelled. */
  start(onConnected: (opened: OpenedUpstream) => void, onGivenUp: () => void): void {
    const { options, clock, random, exchange } = this.#init;
    const tried: Target[] = exchange.target === undefined ? [] : [exchange.target];
    const abort = new AbortController();
    this.#abort = abort;
    let made = 0;
    const schedule = () => {
      const most = Math.min(options.minDelay * 2 ** made, options.maxDelay);
      this.#timer = clock.setTimeout(() => void attempt(), most * random());
    };
    const attempt = async () => {
      made++;
      const opened = await this.#connect(tried, abort.signal);
      if (abort.signal.aborted) {
        if (opened !== undefined) discard(opened);
      } else if (opened !== undefined) onConnected(opened);
      else if (made >= options.attempts) onGivenUp();
      else schedule();
    };
    schedule();
  }

  /** The client is gone, or the connection is being closed. */
  cancel(): void {
    this.#timer?.cancel();
    this.#abort?.abort();
  }

  /** Undefined where the attempt failed, for whatever reason: the next may do better. */
  async #connect(tried: Target[], signal: AbortSignal): Promise<OpenedUpstream | undefined> {
    const { exchange, attempt, connect, services } = this.#init;
    // A reload may have changed the service meanwhile.
    exchange.service = services.get(exchange.service.name) ?? exchange.service;
    let opened: OpenedUpstream | undefined;
    const connectOnce = connect(signal);
    try {
      await attempt(
        exchange,
        async (target, fields) => {
          if (!tried.includes(target)) tried.push(target);
          const result = await connectOnce(target, fields);
          opened = result.opened;
          return result;
        },
        tried,
      );
      return opened;
    } catch {
      if (opened !== undefined) discard(opened);
      return undefined;
    }
  }
}

/** Ends a connection that nobody wants any more. */
export function discard({ socket, target }: OpenedUpstream): void {
  socket.terminate();
  target.active--;
}
