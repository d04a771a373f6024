import { stamp } from './blame.js';
import type { Clock } from './clock.js';
import type { LoadedPlugin } from './loader/loaded-plugin.js';
import type { Logger } from './log/logger.js';
import type { Hooks } from './plugin.js';

/** Runs the lifecycle hooks of a generation's plugins. */
export class HookRunner {
  readonly #plugins: readonly LoadedPlugin[];
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #timeout: number;
  /** How many plugins, from the first on, have been started; these are the ones to stop. */
  #started = 0;

  /** @param timeout for each hook, in milliseconds */
  constructor(plugins: readonly LoadedPlugin[], clock: Clock, logger: Logger, timeout: number) {
    this.#plugins = plugins;
    this.#clock = clock;
    this.#logger = logger;
    this.#timeout = timeout;
  }

  /**
   * Starts the plugins in declared order.
   *
   * @throws whatever the first failing hook throws, stamped with its plugin; those started so far are left to {@link stop}
   */
  async start(): Promise<void> {
    for (const plugin of this.#plugins) {
      // A hook that fails half way has something to clean up as well.
      this.#started++;
      await this.#call(plugin, 'onStart', (hooks) => hooks.onStart?.());
    }
  }

  /** Tells the plugins, in declared order, that the generation is live. Failures are logged. */
  ready(): Promise<void> {
    return this.#tellAll(this.#plugins, 'onReady', (hooks) => hooks.onReady?.());
  }

  serviceChange(change: Parameters<NonNullable<Hooks['onServiceChange']>>[0]): Promise<void> {
    return this.#tellAll(this.#plugins, 'onServiceChange', (hooks) => hooks.onServiceChange?.(change));
  }

  /** Tells the plugins, in reverse order, that no new requests come. Failures are logged. */
  drain(): Promise<void> {
    return this.#tellAll(this.#plugins.toReversed(), 'onDrain', (hooks) => hooks.onDrain?.());
  }

  /** Stops the plugins that were started, in reverse order. Failures are logged, and stop nothing. */
  async stop(): Promise<void> {
    const started = this.#plugins.slice(0, this.#started).toReversed();
    this.#started = 0;
    await this.#tellAll(started, 'onStop', (hooks) => hooks.onStop?.());
  }

  async #tellAll(
    plugins: readonly LoadedPlugin[],
    member: keyof Hooks,
    call: (hooks: Hooks) => Promise<void> | void,
  ): Promise<void> {
    for (const plugin of plugins) {
      try {
        await this.#call(plugin, member, call);
      } catch (err) {
        this.#logger.error({ plugin: plugin.id, member, err }, 'A plugin hook failed');
      }
    }
  }

  async #call(
    plugin: LoadedPlugin,
    member: keyof Hooks,
    call: (hooks: Hooks) => Promise<void> | void,
  ): Promise<void> {
    const { hooks } = plugin.instance;
    if (hooks === undefined) return;
    let onTimeout = () => {};
    const timer = this.#clock.setTimeout(() => onTimeout(), this.#timeout);
    try {
      const tooLate = new Promise<never>((_, reject) => {
        onTimeout = () =>
          reject(new Error(`${member} took longer than ${this.#timeout} ms (shutdown.hookTimeout)`));
      });
      await Promise.race([call(hooks), tooLate]);
    } catch (failure) {
      stamp(failure, { plugin: plugin.id, member });
      throw failure;
    } finally {
      timer.cancel();
    }
  }
}
