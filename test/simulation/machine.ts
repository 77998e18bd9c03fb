/** A process of the simulation: it can stand still, die and be started again. */
import type { Clock } from '../../packages/bridge/src/node.ts';
import type { Scheduler } from './scheduler.ts';

export class Machine {
  readonly name: string;
  readonly #scheduler: Scheduler;
  /** Counts its lives; what an earlier life has planned never happens. */
  #life = 0;
  #isAlive = false;
  #standsUntil = 0;
  /** What is told when the process dies. */
  readonly #mourners: Set<() => void> = new Set();

  constructor(name: string, scheduler: Scheduler) {
    this.name = name;
    this.#scheduler = scheduler;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get life(): number {
    return this.#life;
  }

  start(): void {
    this.#life += 1;
    this.#isAlive = true;
    this.#standsUntil = 0;
  }

  /** Ends the process at once, with its memory and everything that it had planned. */
  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    const mourners = [...this.#mourners];
    this.#mourners.clear();
    for (const tell of mourners) tell();
  }

  /** Nothing happens in it for so long; then everything that should have, in its order. */
  stall(forMs: number): void {
    this.#standsUntil = Math.max(this.#standsUntil, this.#scheduler.now + forMs);
  }

  /** Runs it in this life of the process, when it does not stand still. */
  after(delayMs: number, run: () => void): () => void {
    const life = this.#life;
    let cancel = (): void => {};
    const due = (): void => {
      if (!this.#isAlive || this.#life !== life) return;
      const wait = this.#standsUntil - this.#scheduler.now;
      if (wait > 0) cancel = this.#scheduler.after(wait, due);
      else run();
    };
    cancel = this.#scheduler.after(delayMs, due);
    return () => cancel();
  }

  /** Calls it once if this life of the process ends; the returned function forgets it. */
  onDeath(tell: () => void): () => void {
    this.#mourners.add(tell);
    return () => this.#mourners.delete(tell);
  }

  /** The time as this process sees it, for durations. */
  clock(): Clock {
    return { now: () => this.#scheduler.now, after: (delayMs, run) => this.after(delayMs, run) };
  }
}
