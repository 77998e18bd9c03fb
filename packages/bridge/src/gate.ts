/** Lets in as many operations as can be worked on; the others wait for a moment or are sent away. */
import type { Clock } from './node.ts';

export interface GateOptions {
  readonly clock: Clock;
  /** Operations under way at once. */
  readonly maxInFlight: number;
  /** Of these, for one app that has no limit of its own. */
  readonly appMaxInFlight: number;
  /** Longest wait for a place, milliseconds. */
  readonly maxQueueMs: number;
}

/** `overloaded`: no place came free in time. `rate_limited`: the app has as many under way as it may. */
export type Admission = 'admitted' | 'overloaded' | 'rate_limited';

/** Who wants to come in. */
export interface Arrival {
  readonly app: string;
  /** How many operations it brings: those of a batch come and go together. */
  readonly operations: number;
  /** The app's own limit, where it has one. */
  readonly limit?: number | undefined;
}

interface Waiting {
  readonly operations: number;
  readonly settle: (admission: Admission) => void;
}

/** Places for operations, handed out in the order of arrival. */
export class Gate {
  readonly #options: GateOptions;
  readonly #byApp: Map<string, number> = new Map();
  readonly #queue: Set<Waiting> = new Set();
  #inFlight = 0;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** Operations under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Operations that wait for a place. */
  get queued(): number {
    let sum = 0;
    for (const { operations } of this.#queue) sum += operations;
    return sum;
  }

  /** Runs the work when there is a place for it; otherwise says why there is none. */
  async run<T>(arrival: Arrival, work: () => Promise<T>): Promise<T | Exclude<Admission, 'admitted'>> {
    const { app } = arrival;
    const limit = arrival.limit ?? this.#options.appMaxInFlight;
    // A batch that is larger than the limit may come in alone.
    const own = Math.min(arrival.operations, limit);
    const before = this.#byApp.get(app) ?? 0;
    if (before + own > limit) return 'rate_limited';
    this.#byApp.set(app, before + own);
    try {
      const operations = Math.min(arrival.operations, this.#options.maxInFlight);
      const admission = this.#enter(operations);
      const outcome = typeof admission === 'string' ? admission : await admission;
      if (outcome !== 'admitted') return outcome;
      try {
        return await work();
      } finally {
        this.#leave(operations);
      }
    } finally {
      const rest = (this.#byApp.get(app) ?? own) - own;
      if (rest === 0) this.#byApp.delete(app);
      else this.#byApp.set(app, rest);
    }
  }

  #enter(operations: number): Admission | Promise<Admission> {
    if (this.#queue.size === 0 && this.#hasRoom(operations)) {
      this.#inFlight += operations;
      return 'admitted';
    }
    const { maxQueueMs, maxInFlight, clock } = this.#options;
    // What cannot be worked on within the wait by far need not wait for it.
    if (maxQueueMs === 0 || this.#queue.size >= maxInFlight * 4) return 'overloaded';
    return new Promise((resolve) => {
      const waiting = { operations, settle: resolve };
      const cancel = clock.after(maxQueueMs, () => {
        this.#queue.delete(waiting);
        resolve('overloaded');
        this.#admitNext();
      });
      waiting.settle = (admission) => {
        cancel();
        resolve(admission);
      };
      this.#queue.add(waiting);
    });
  }

  #leave(operations: number): void {
    this.#inFlight -= operations;
    this.#admitNext();
  }

  #admitNext(): void {
    for (const waiting of this.#queue) {
      if (!this.#hasRoom(waiting.operations)) return;
      this.#queue.delete(waiting);
      this.#inFlight += waiting.operations;
      waiting.settle('admitted');
    }
  }

  #hasRoom(operations: number): boolean {
    return this.#inFlight + operations <= this.#options.maxInFlight;
  }
}
