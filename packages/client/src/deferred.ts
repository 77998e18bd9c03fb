/** Operations that nobody waits for: they leave with the next request to a bridge. */
import { SessionUnavailableError } from './errors.ts';
import type { BatchOperation } from './protocol.ts';
import type { Answer } from './wire.ts';

interface Touch {
  readonly operation: BatchOperation;
  readonly onAnswer: (answer: Answer) => void;
}

interface End {
  readonly operation: BatchOperation;
  /** When it may be sent, milliseconds. */
  readonly dueAt: number;
}

type Send = (operation: BatchOperation) => Promise<Answer>;

/** Touches that wait; more are not made, because the next use makes them again. */
const MOST_TOUCHES = 1000;
/** Logouts that wait; the oldest go first. */
const MOST_ENDS = 10_000;
/** Logouts that leave with one request. */
const ENDS_AT_ONCE = 100;
/** Milliseconds after which a logout that nobody has confirmed is sent again. */
const RETRY_MS = 1_000;

export class DeferredOperations {
  /** By ref. */
  readonly #touches = new Map<string, Touch>();
  /** By ref; in the order in which they are due. */
  readonly #ends = new Map<string, End>();

  /** A touch that fails is made again by the next use of its session. Only an answer is reported. */
  addTouch(operation: BatchOperation, onAnswer: (answer: Answer) => void): void {
    if (this.#touches.size >= MOST_TOUCHES) return;
    this.#touches.set(operation.ref, { operation, onAnswer });
  }

  /** Nobody makes a logout again, so it waits until a bridge has taken it. */
  addEnd(operation: BatchOperation): void {
    // Behind those that were sent a moment ago, and so at most a moment later than with the next request.
    this.#ends.set(operation.ref, { operation, dueAt: 0 });
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MOST_ENDS && oldest !== undefined) this.#ends.delete(oldest);
  }

  /** Sends what is due. */
  leave(now: number, send: Send): void {
    for (const { operation, onAnswer } of this.#touches.values()) send(operation).then(onAnswer, ignore);
    this.#touches.clear();
    if (this.#ends.size > 0) this.#sendEnds(now, send);
  }

  #sendEnds(now: number, send: Send): void {
    const due: End[] = [];
    for (const end of this.#ends.values()) {
      if (end.dueAt > now || due.length === ENDS_AT_ONCE) break;
      due.push(end);
    }
    for (const { operation } of due) {
      const sent = { operation, dueAt: now + RETRY_MS };
      const forget = (): void => {
        if (this.#ends.get(operation.ref) === sent) this.#ends.delete(operation.ref);
      };
      this.#ends.delete(operation.ref);
      this.#ends.set(operation.ref, sent);
      send(operation).then(forget, (error: unknown) => {
        // Refused for good.
        if (!(error instanceof SessionUnavailableError)) forget();
      });
    }
  }
}

function ignore(): void {
  // The next use makes it again.
}
