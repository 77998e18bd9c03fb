/** Durations by a clock that may be set: wall clocks are corrected, and then jump. */
import type { Clock } from './ports.ts';

/**
 * Follows another clock, but never back: when that is set back, time stands still here and then goes on. Set
 * forward, it jumps along, so that the time for which a machine or an isolate was suspended counts.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock;
  #last = Number.NEGATIVE_INFINITY;
  /** By how much this clock is ahead of the other one, milliseconds. */
  #lead = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds; good for differences only. */
  now(): number {
    const now = this.#clock.now() + this.#lead;
    if (now >= this.#last) return (this.#last = now);
    this.#lead += this.#last - now;
    return this.#last;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }
}
