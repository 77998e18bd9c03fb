/** Durations by a clock that may be set: wall clocks are corrected, and then jump. */
import type { Clock } from './ports.ts';

/**
 * Follows another clock, but never back: when that is set back, only the time that really passed counts. Set
 * forward, it jumps along, so that the time for which a machine or an isolate was suspended counts too, which the
 * platform's own steady clock may leave out.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock;
  /** What the clocks said last; null before anybody has asked. */
  #last: { readonly now: number; readonly elapsed: number } | null = null;
  #time = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds; good for differences only. */
  now(): number {
    const now = this.#clock.now();
    const elapsed = this.#clock.elapsed?.() ?? 0;
    if (this.#last === null) this.#time = now;
    else this.#time += Math.max(now - this.#last.now, elapsed - this.#last.elapsed, 0);
    this.#last = { now, elapsed };
    return this.#time;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }
}
