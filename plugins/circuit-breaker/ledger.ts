import type { GatewayEvents, Logger } from '../../core/index.js';
import type { Transition, TransitionReason } from './circuit.js';

declare module '../../core/events.js' {
  interface GatewayEventMap {
    /** A circuit changed its state. `target` is there where circuits are kept per target. */
    'circuit.state': [
      {
        service: string;
        target?: string;
        from: Transition['from'];
        to: Transition['to'];
        reason: TransitionReason;
      },
    ];
  }
}

/** Announces what circuits do, in the log and as events, and counts how often they open. Outlives reloads. */
export class Ledger {
  readonly #events: GatewayEvents;
  /** That of the newest plugin instance. */
  logger: Logger;
  readonly #byService = new Map<string, number>();
  #total = 0;

  constructor(events: GatewayEvents, logger: Logger) {
    this.#events = events;
    this.logger = logger;
  }

  /** How often circuits opened because of failures, those of removed services among them. */
  get trips(): number {
    return this.#total;
  }

  /** How often the circuits of a service opened because of failures. */
  tripsOf(service: string): number {
    return this.#byService.get(service) ?? 0;
  }

  /** The service is gone. */
  forget(service: string): void {
    this.#byService.delete(service);
  }

  /** @param target where the circuit is one target's */
  note(service: string, target: string | undefined, { from, to, reason }: Transition): void {
    if (to === 'OPEN' && reason !== 'administrator') {
      this.#total++;
      this.#byService.set(service, this.tripsOf(service) + 1);
    }
    const fields = { service, target, from, to, reason };
    if (to === 'OPEN') this.logger.warn(fields, 'A circuit opened');
    else if (to === 'CLOSED') this.logger.info(fields, 'A circuit closed');
    else this.logger.info(fields, 'A circuit is half-open');
    try {
      this.#events.emit('circuit.state', {
        service,
        ...(target === undefined ? {} : { target }),
        from,
        to,
        reason,
      });
    } catch (err) {
      // The change has taken place, and the request that brought it about has nothing to do with who listens.
      this.logger.error({ service, err }, 'A listener for circuit.state failed');
    }
  }
}
