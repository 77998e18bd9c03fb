/** Which bridges are worth a try: one that keeps failing is left alone until a probe finds it well. */
import type { Clock, RandomBytes } from './ports.ts';

/** Failures in a row after which calls stop waiting for a bridge. */
const FAILURES = 5;
/** Milliseconds between probes: doubled from the first to the longest, and jittered. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 16_000;
/** Milliseconds for which nobody can say yet that the failures last. */
const NEW_MS = 1_000;
/** Milliseconds for which a bridge may ask to be spared, at most. */
const LONGEST_SPARING_MS = 30_000;

export interface BreakerOptions {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Asks the bridge whether it is well. Never rejects, ends within its own deadline. */
  readonly probe: () => Promise<boolean>;
  /** Milliseconds that no request takes, but in a runtime that stands still: then it counts as lost. */
  readonly lostMs: number;
}

/** One bridge's state. Nothing happens by itself: probes are started by calls, so that no timer is left behind. */
export class Breaker {
  readonly #options: BreakerOptions;
  #failures = 0;
  #openedAt = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #triedAt = 0;
  #probeAt = 0;
  #probeSentAt: number | null = null;
  #sparedUntil = 0;
  #probed: Promise<unknown> = Promise.resolve();

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  /** Resolves when the last probe has ended. */
  get probed(): Promise<unknown> {
    return this.#probed;
  }

  /** Whether a probe is under way. */
  get isProbed(): boolean {
    return this.#probeSentAt !== null;
  }

  /** Milliseconds for which a probe has been under way; endless when none is. */
  get probedForMs(): number {
    return this.#probeSentAt === null
      ? Number.POSITIVE_INFINITY
      : this.#options.clock.now() - this.#probeSentAt;
  }

  /** Milliseconds until a probe may be sent; endless while one is under way. */
  get restMs(): number {
    return this.isProbed ? Number.POSITIVE_INFINITY : Math.max(0, this.#probeAt - this.#options.clock.now());
  }

  get isOpen(): boolean {
    return this.#failures >= FAILURES;
  }

  /** Whether it was still used a moment ago, or nobody has tried to for long. */
  get isNewlyOpen(): boolean {
    return this.isOpen && this.#options.clock.now() - this.#openedAt < NEW_MS;
  }

  /** Whether a call may use the bridge now. When not, and it is time, a probe is started. */
  allows(): boolean {
    if (!this.isOpen) return true;
    const now = this.#options.clock.now();
    const isLost = this.#isProbeLost;
    if (now < this.#probeAt || (this.isProbed && !isLost)) return false;
    // Nobody has asked for so long, or could, that nobody can say whether the failures still last.
    if (isLost || now - this.#probeAt > LONGEST_PAUSE_MS) this.#openedAt = now;
    this.#probeSentAt = now;
    this.#probed = this.#probe(now);
    return false;
  }

  /** Whether the bridge has asked for less work just now: where there are others, they are asked first. */
  get isSpared(): boolean {
    return this.#options.clock.now() < this.#sparedUntil;
  }

  spare(durationMs: number): void {
    this.#sparedUntil = this.#options.clock.now() + Math.min(durationMs, LONGEST_SPARING_MS);
  }

  /** There is nobody else to ask: the next probe comes no later than so long after the last one, or the failures. */
  nudge(afterMs: number): void {
    this.#probeAt = Math.min(this.#probeAt, this.#triedAt + afterMs);
  }

  /** The bridge answered as a bridge does, whatever it said. */
  succeeded(): void {
    this.#failures = 0;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.#probeSentAt = null;
  }

  /** It did not answer, or not as a bridge does, within so many milliseconds. */
  failed(tookMs: number): void {
    // What was asked before the runtime stood still says nothing about now.
    if (tookMs >= this.#options.lostMs) return;
    this.#failures += 1;
    if (this.#failures !== FAILURES) return;
    this.#openedAt = this.#options.clock.now();
    this.#pause(this.#openedAt);
  }

  get #isProbeLost(): boolean {
    return this.isProbed && this.probedForMs >= this.#options.lostMs;
  }

  async #probe(sentAt: number): Promise<void> {
    const isWell = await this.#options.probe();
    if (isWell) return this.succeeded();
    if (this.#probeSentAt !== sentAt) return;
    const isLost = this.#isProbeLost;
    this.#probeSentAt = null;
    if (isLost) {
      this.#openedAt = this.#options.clock.now();
      return;
    }
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    // A probe without an answer has taken its time already.
    this.#pause(sentAt);
  }

  #pause(triedAt: number): void {
    const jitter = 0.75 + (this.#options.random(1)[0] ?? 0) / 512;
    this.#triedAt = triedAt;
    this.#probeAt = this.#options.clock.now() + this.#pauseMs * jitter;
  }
}
