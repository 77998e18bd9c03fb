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

/** `overloaded`: no place came free in time. `rate_limited`: the app itself had as many under way as it may. */
export type Admission = 'admitted' | 'overloaded' | 'rate_limited';

/** Why somebody did not come in. */
export type Refused = Exclude<Admission, 'admitted'>;

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

/** One app: what it has under way, and what waits, in the order of arrival. */
interface Line {
  readonly app: string;
  limit: number;
  inFlight: number;
  readonly waiting: Set<Waiting>;
}

/** More than so many times what may be under way need not wait: it would wait in vain. */
const MOST_WAITING_TIMES = 4;

/** Places for operations. Each app has a line of its own, and the lines take turns. */
export class Gate {
  readonly #options: GateOptions;
  /** Those with something under way or waiting; whose turn is next stands first. */
  readonly #lines: Map<string, Line> = new Map();
  #inFlight = 0;
  #waiting = 0;

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
    for (const { waiting } of this.#lines.values()) for (const { operations } of waiting) sum += operations;
    return sum;
  }

  /** Runs the work when there is a place for it; otherwise says why there is none. */
  async run<T>(arrival: Arrival, work: () => Promise<T>): Promise<T | Refused> {
    const line = this.#lineOf(arrival);
    // A batch that is larger than a limit may come in alone.
    const operations = Math.min(arrival.operations, line.limit, this.#options.maxInFlight);
    const admission = this.#enter(line, operations);
    const outcome = typeof admission === 'string' ? admission : await admission;
    if (outcome !== 'admitted') {
      this.#forget(line);
      return outcome;
    }
    try {
      return await work();
    } finally {
      this.#leave(line, operations);
    }
  }

  #lineOf({ app, limit = this.#options.appMaxInFlight }: Arrival): Line {
    let line = this.#lines.get(app);
    if (line === undefined) this.#lines.set(app, (line = { app, limit, inFlight: 0, waiting: new Set() }));
    line.limit = limit;
    return line;
  }

  #enter(line: Line, operations: number): Admission | Promise<Admission> {
    if (line.waiting.size === 0 && this.#hasRoom(line, operations) && !this.#isSomebodyNext()) {
      this.#take(line, operations);
      return 'admitted';
    }
    const { maxQueueMs, maxInFlight, clock } = this.#options;
    if (maxQueueMs === 0) return this.#refuse(line, operations);
    if (line.waiting.size >= line.limit * MOST_WAITING_TIMES) return 'rate_limited';
    if (this.#waiting >= maxInFlight * MOST_WAITING_TIMES) return 'overloaded';
    return new Promise((resolve) => {
      const waiting: Waiting = {
        operations,
        settle: (admission) => {
          cancel();
          line.waiting.delete(waiting);
          this.#waiting -= 1;
          resolve(admission);
        },
      };
      const cancel = clock.after(maxQueueMs, () => {
        waiting.settle(this.#refuse(line, operations));
        this.#admitNext();
      });
      line.waiting.add(waiting);
      this.#waiting += 1;
    });
  }

  /** Why there is no place: the app's own limit, or that of all. */
  #refuse(line: Line, operations: number): Refused {
    return line.inFlight + operations > line.limit ? 'rate_limited' : 'overloaded';
  }

  #take(line: Line, operations: number): void {
    line.inFlight += operations;
    this.#inFlight += operations;
  }

  #leave(line: Line, operations: number): void {
    line.inFlight -= operations;
    this.#inFlight -= operations;
    this.#admitNext();
    this.#forget(line);
  }

  #forget(line: Line): void {
    if (line.inFlight === 0 && line.waiting.size === 0 && this.#lines.get(line.app) === line)
      this.#lines.delete(line.app);
  }

  #admitNext(): void {
    for (let next = this.#findNext(); next !== null; next = this.#findNext()) {
      const { line, waiting } = next;
      // A large batch keeps its turn until there is room for it: small ones would never leave any.
      if (!this.#hasRoom(line, waiting.operations)) return;
      this.#take(line, waiting.operations);
      waiting.settle('admitted');
      this.#lines.delete(line.app);
      this.#lines.set(line.app, line);
    }
  }

  /** Whose turn it is: the first that does not wait for its own app. */
  #findNext(): { readonly line: Line; readonly waiting: Waiting } | null {
    if (this.#waiting === 0) return null;
    for (const line of this.#lines.values()) {
      const [waiting] = line.waiting;
      if (waiting !== undefined && line.inFlight + waiting.operations <= line.limit) return { line, waiting };
    }
    return null;
  }

  #isSomebodyNext(): boolean {
    return this.#findNext() !== null;
  }

  #hasRoom(line: Line, operations: number): boolean {
    return (
      line.inFlight + operations <= line.limit && this.#inFlight + operations <= this.#options.maxInFlight
    );
  }
}
