import type { Dispatcher } from 'undici';

/** What the configuration or an admin call says of a target. */
export interface TargetInit {
  /** Origin only, `http:` or `https:`, no path. */
  readonly url: string;
  /** Share of the traffic relative to the service's other targets; 0 to 1000, 0 for none. */
  readonly weight: number;
}

/**
 * One upstream server of a service. Lives as long as its service is registered with the same url; its counters and
 * health survive a reload.
 */
export class Target {
  readonly url: string;
  readonly protocol: 'http:' | 'https:';
  readonly hostname: string;
  /** TCP port, also where the url left it out. */
  readonly port: number;
  weight: number;
  /** Gets requests. True until a health check says otherwise. */
  healthy = true;
  /** Requests and upgraded connections under way. */
  active = 0;
  /** When the last health check ended, in milliseconds since the epoch. */
  lastHealthCheck: number | undefined = undefined;
  /** The pool of connections; shared with other targets of the same url and connection settings. */
  readonly dispatcher: Dispatcher;

  constructor(init: TargetInit, dispatcher: Dispatcher) {
    const url = new URL(init.url);
    this.url = url.origin;
    this.protocol = url.protocol === 'https:' ? 'https:' : 'http:';
    this.hostname = url.hostname;
    this.port = url.port === '' ? (this.protocol === 'https:' ? 443 : 80) : Number(url.port);
    this.weight = init.weight;
    this.dispatcher = dispatcher;
  }
}
