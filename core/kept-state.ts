/**
 * State that outlives a reload: buckets, circuits, caches, open connections. A plugin asks for its piece by a key
 * that holds everything that makes old state unusable (its id and policy): a changed policy has another key and so
 * starts fresh. What no plugin instance of the newest generation asked for is dropped once the old one has stopped.
 */
export class KeptState {
  readonly #entries = new Map<string, { value: unknown; generation: number; dispose?: () => void }>();
  #generation = 0;

  /**
   * The value kept under `key`, made by `create` when there is none yet.
   *
   * @param dispose called with the value when it is dropped; frees sockets, timers and the like.
   */
  keep<T>(key: string, create: () => T, dispose?: (value: T) => void): T {
    const known = this.#entries.get(key);
    if (known) {
      known.generation = this.#generation;
      return known.value as T;
    }
    const value = create();
    this.#entries.set(key, {
      value,
      generation: this.#generation,
      ...(dispose ? { dispose: () => dispose(value) } : {}),
    });
    return value;
  }

  /** Marks the start of building generation `generation`; values asked for from now on belong to it. */
  begin(generation: number): void {
    this.#generation = generation;
  }

  /**
   * Drops what was last asked for before generation `generation`.
   *
   * @throws AggregateError with what the `dispose` functions threw, after all of them were called
   */
  sweep(generation: number): void {
    const failures: unknown[] = [];
    for (const [key, entry] of this.#entries) {
      if (entry.generation >= generation) continue;
      this.#entries.delete(key);
      try {
        entry.dispose?.();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0)
      throw new AggregateError(failures, 'State that was kept could not be disposed of');
  }

  /**
   * Drops everything.
   *
   * @throws AggregateError as {@link sweep} does
   */
  clear(): void {
    this.sweep(Number.POSITIVE_INFINITY);
  }
}
