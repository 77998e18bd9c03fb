/** One timer for many deadlines: it rings at the earliest, and tells how late it was. */
import type { Clock } from './node.ts';

export class DeadlineAlarm {
  readonly #clock: Clock;
  readonly #onRing: (lateMs: number) => void;
  #ringsAt = Number.POSITIVE_INFINITY;
  #cancel: () => void = () => {};

  /** `onRing` must set the alarm again for the deadlines that are left. */
  constructor(clock: Clock, onRing: (lateMs: number) => void) {
    this.#clock = clock;
    this.#onRing = onRing;
  }

  /** Rings at this time, unless it rings earlier anyway. `now` spares a look at the clock. */
  ringAt(at: number, now: number = this.#clock.now()): void {
    if (at >= this.#ringsAt) return;
    this.#cancel();
    this.#ringsAt = at;
    this.#cancel = this.#clock.after(Math.max(0, at - now), () => {
      this.#ringsAt = Number.POSITIVE_INFINITY;
      const lateMs = this.#clock.now() - at;
      // Answers that are already in a socket are read before anyone is told that none came.
      setImmediate(() => this.#onRing(lateMs));
    });
  }

  /** An alarm that has just rung may still be told. */
  cancel(): void {
    this.#cancel();
  }
}
