/** Virtual time: what happens when, one thing after the other, always in the same order. */

/** Turns that are asked for at once. */
const TURNS = 64;

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  isCancelled: boolean;
}

/** Runs events in the order of their times. Between two of them everything that does not wait for time goes on. */
export class Scheduler {
  #now = 0;
  #order = 0;
  /** A binary heap: the earliest event first. */
  readonly #heap: Event[] = [];

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  /** Runs it once, `delayMs` from now; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void {
    const event = { at: this.#now + Math.max(0, delayMs), order: this.#order++, run, isCancelled: false };
    this.#push(event);
    return () => (event.isCancelled = true);
  }

  /** Lets time pass until `endMs`. */
  async runUntil(endMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => this.#takeTurns(endMs, { resolve, reject }));
    this.#now = endMs;
  }

  /**
   * One event in each turn of the process: all microtasks that are waiting, and those they start, have run before
   * the next. Many turns are asked for at once, because asking for one costs more than most events.
   */
  #takeTurns(
    endMs: number,
    end: { readonly resolve: () => void; readonly reject: (error: unknown) => void },
  ): void {
    let isOver = false;
    const turn = (): void => {
      if (isOver) return;
      try {
        isOver = !this.#runNext(endMs);
      } catch (error) {
        isOver = true;
        end.reject(error);
        return;
      }
      if (isOver) end.resolve();
    };
    const more = (): void => {
      if (isOver) return;
      for (let left = TURNS; left > 0; left -= 1) setImmediate(turn);
      setImmediate(more);
    };
    more();
  }

  /** Whether there was one to run until then. */
  #runNext(endMs: number): boolean {
    for (let event = this.#pop(endMs); event !== null; event = this.#pop(endMs)) {
      if (event.isCancelled) continue;
      this.#now = event.at;
      event.run();
      return true;
    }
    return false;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isEarlier(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(endMs: number): Event | null {
    const heap = this.#heap;
    const [first] = heap;
    if (first === undefined || first.at > endMs) return null;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      let below = heap[child];
      const right = heap[child + 1];
      if (right !== undefined && below !== undefined && isEarlier(right, below)) {
        child += 1;
        below = right;
      }
      if (below === undefined || !isEarlier(below, last)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isEarlier(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
