/** Something that falls due. Is in at most one queue. */
export interface Due {
  /** When it falls due, in milliseconds; changed by the queue only. */
  dueAt: number;
  /** Its place in the heap; changed by the queue only. -1 while it is in no queue. */
  heapIndex: number;
}

/** What falls due, earliest first: a binary heap that finds its entries, so that one may be taken out early. */
export class DueQueue<Entry extends Due> {
  readonly #heap: Entry[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** What falls due first; it stays in the queue. */
  get first(): Entry | undefined {
    return this.#heap[0];
  }

  /** Puts an entry in, or moves it to another time. */
  set(entry: Entry, dueAt: number): void {
    entry.dueAt = dueAt;
    if (entry.heapIndex < 0) {
      entry.heapIndex = this.#heap.length;
      this.#heap.push(entry);
    }
    this.#rise(entry);
    this.#sink(entry);
  }

  /** Takes an entry out; harmless when it is not in the queue. */
  delete(entry: Entry): void {
    const index = entry.heapIndex;
    if (index < 0) return;
    entry.heapIndex = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#place(last, index);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: Entry): void {
    while (entry.heapIndex > 0) {
      const index = entry.heapIndex;
      const parent = this.#heap[(index - 1) >> 1];
      if (parent === undefined || parent.dueAt <= entry.dueAt) return;
      this.#place(entry, parent.heapIndex);
      this.#place(parent, index);
    }
  }

  #sink(entry: Entry): void {
    for (;;) {
      const index = entry.heapIndex;
      const left = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      const child = left && right && right.dueAt < left.dueAt ? right : left;
      if (child === undefined || entry.dueAt <= child.dueAt) return;
      this.#place(entry, child.heapIndex);
      this.#place(child, index);
    }
  }

  #place(entry: Entry, index: number): void {
    this.#heap[index] = entry;
    entry.heapIndex = index;
  }
}
