/** Durations by a clock that may be set: wall clocks are corrected, and then jump. */
import type { Clock } from './ports.ts';

/**
 * Milliseconds by which the two clocks may drift apart before one counts as set. One shows whole milliseconds and the
 * other parts of them: to follow whichever is ahead at each look would make time run twice as fast for who looks often.
 */
const DRIFT_MS = 100;

/**
 * Follows another clock, but never back: when that is set back, only the time that really passed counts. Set
 * forward, it jumps along, so that the time for which a machine or an isolate was suspended counts too, which the
 * platform's own steady clock may leave out.
 */
export class SteadyClock implements Clock {
  readonly #clock: Clock;
  /** How far the clock was ahead of its elapsed time when it was last set; null before anybody has asked. */
  #ahead: number | null = null;
  /** How far this one is ahead of the elapsed time. */
  #offset = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds; good for differences only. */
  now(): number {
    const elapsed = this.#clock.elapsed?.();
    const ahead = this.#clock.now() - (elapsed ?? 0);
    if (this.#ahead === null) this.#offset = ahead;
    const jump = ahead - (this.#ahead ?? ahead);
    if (this.#ahead === null || Math.abs(jump) > (elapsed === undefined ? 0 : DRIFT_MS)) {
      this.#ahead = ahead;
      this.#offset += Math.max(jump, 0);
    }
    return (elapsed ?? 0) + this.#offset;
  }

  after(delayMs: number, run: () => void): () => void {
    return this.#clock.after(delayMs, run);
  }
}
