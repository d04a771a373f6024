import type { Dispatcher } from 'undici';
import { type Clock, systemClock, type Timer } from '../clock.js';
import { TlsFiles } from './tls-files.js';
import { type ConnectionSettings, createUpstreamPool, type DispatcherFactory } from './upstream-pool.js';

/** What {@link UpstreamPools} may be given. */
export interface UpstreamPoolsInit {
  readonly clock?: Clock;
  /** Instead of undici's pools; for tests. */
  readonly factory?: DispatcherFactory;
  /** How long a pool that nobody uses any more takes requests of routes that are being drained, in ms. */
  readonly linger?: number;
  /** How long requests under way may go on in a pool that is being closed, in ms. */
  readonly grace?: number;
}

interface Entry {
  readonly key: string;
  readonly dispatcher: Dispatcher;
  /** Makes the connection for health checks. */
  readonly connectChecks: () => Dispatcher;
  checks: Dispatcher | undefined;
  users: number;
  lingering: Timer | undefined;
}

/**
 * Pools of keep-alive connections to upstream servers: one for each origin and connection settings, however many
 * services use it. A pool ends when its last user has released it. It lingers first, as requests of a generation that
 * is being drained may still be retried on it, and may be acquired again meanwhile.
 */
export class UpstreamPools {
  readonly #clock: Clock;
  readonly #factory: DispatcherFactory;
  readonly #linger: number;
  readonly #grace: number;
  readonly #byKey = new Map<string, Entry>();
  readonly #byDispatcher = new Map<Dispatcher, Entry>();
  readonly #closing = new Set<Promise<void>>();

  constructor(init: UpstreamPoolsInit = {}) {
    this.#clock = init.clock ?? systemClock;
    this.#factory = init.factory ?? createUpstreamPool;
    this.#linger = init.linger ?? 30_000;
    this.#grace = init.grace ?? 30_000;
  }

  /** How many pools are open. */
  get size(): number {
    return this.#byKey.size;
  }

  /**
   * The pool for an origin, to be given back with {@link release} as often as it was acquired.
   *
   * @throws TlsFileError when a TLS file cannot be read
   */
  acquire(url: string, settings: ConnectionSettings): Dispatcher {
    const origin = new URL(url).origin;
    const files = new TlsFiles(settings.tls);
    const { pool, tls, timeout } = settings;
    const key = JSON.stringify([
      origin,
      pool.connections,
      pool.keepAlive,
      timeout.connect,
      tls.verify,
      tls.servername,
      // A certificate that was renewed in place takes effect with the next reload.
      files.version(),
    ]);
    let entry = this.#byKey.get(key);
    if (entry === undefined) {
      const material = files.read();
      const single = { ...settings, pool: { ...pool, connections: 1 } };
      entry = {
        key,
        dispatcher: this.#factory(origin, settings, material),
        connectChecks: () => this.#factory(origin, single, material),
        checks: undefined,
        users: 0,
        lingering: undefined,
      };
      this.#byKey.set(key, entry);
      this.#byDispatcher.set(entry.dispatcher, entry);
    }
    entry.users += 1;
    entry.lingering?.cancel();
    entry.lingering = undefined;
    return entry.dispatcher;
  }

  /**
   * A connection beside a pool, made like those in it, for health checks: in the queue of a pool that is busy a check would
   * run out of time, and a busy target be taken for a dead one.
   */
  forChecks(dispatcher: Dispatcher): Dispatcher {
    const entry = this.#byDispatcher.get(dispatcher);
    if (entry === undefined) return dispatcher;
    entry.checks ??= entry.connectChecks();
    return entry.checks;
  }

  /** Gives a pool back. The last user's release closes it, after it has lingered. */
  release(dispatcher: Dispatcher): void {
    const entry = this.#byDispatcher.get(dispatcher);
    if (entry === undefined) return;
    entry.users -= 1;
    if (entry.users > 0) return;
    entry.lingering = this.#clock.setTimeout(() => this.#close(entry), this.#linger);
  }

  /** Closes all pools, whoever uses them: waits for requests under way, at most the grace period. */
  async closeAll(): Promise<void> {
    for (const entry of [...this.#byKey.values()]) this.#close(entry);
    await Promise.all(this.#closing);
  }

  #close(entry: Entry): void {
    entry.lingering?.cancel();
    this.#byKey.delete(entry.key);
    this.#byDispatcher.delete(entry.dispatcher);
    for (const dispatcher of [entry.dispatcher, entry.checks]) {
      if (dispatcher === undefined) continue;
      const closing = this.#closeWithin(dispatcher).finally(() => this.#closing.delete(closing));
      this.#closing.add(closing);
    }
  }

  /** Never rejects: that a socket could not be closed properly is nobody's concern any more. */
  #closeWithin(dispatcher: Dispatcher): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        deadline.cancel();
        resolve();
      };
      const deadline = this.#clock.setTimeout(() => {
        dispatcher.destroy().then(done, done);
      }, this.#grace);
      dispatcher.close().then(done, done);
    });
  }
}
