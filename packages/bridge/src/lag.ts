/** Measures how far this process's event loop is behind: time-outs seen meanwhile prove nothing about others. */
import type { Clock } from './node.ts';

const TICK_MS = 50;
/** A stall counts for this long after it ended. */
const MEMORY_MS = 500;

/** Watches the event loop until stopped. */
export class LagMeter {
  readonly #clock: Clock;
  #dueAt = 0;
  #worstMs = 0;
  #worstAt = 0;
  #cancel: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#schedule();
  }

  /** The worst lag of the last half second, and the one going on now, milliseconds. */
  get lagMs(): number {
    const now = this.#clock.now();
    const current = Math.max(0, now - this.#dueAt);
    return now - this.#worstAt < MEMORY_MS ? Math.max(current, this.#worstMs) : current;
  }

  stop(): void {
    this.#cancel();
  }

  #schedule(): void {
    this.#dueAt = this.#clock.now() + TICK_MS;
    this.#cancel = this.#clock.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.now();
    const late = now - this.#dueAt;
    if (late >= this.#worstMs || now - this.#worstAt >= MEMORY_MS) {
      this.#worstMs = late;
      this.#worstAt = now;
    }
    this.#schedule();
  }
}
