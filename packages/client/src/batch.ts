/** The queue before the bridges: what waits at the same time leaves as one request. */
import { SessionUnavailableError } from './errors.ts';
import type { Clock } from './ports.ts';
import { LIMITS, parseRef, type BatchOperation } from './protocol.ts';
import type { Answer } from './wire.ts';

/** An operation on its way. */
export interface Pending {
  readonly operation: BatchOperation;
  /** When its caller stops waiting, milliseconds. */
  readonly deadline: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  /** Settles each of these operations before it resolves; never rejects. */
  readonly exchange: (operations: readonly Pending[]) => Promise<void>;
}

/** Bytes of one batch: common proxies take 1 MiB. */
const BATCH_BYTES = Math.min(LIMITS.batchBytes, 1_000_000);
/** Bytes that an operation needs besides its record. */
const OPERATION_BYTES = 300;

/**
 * Operations are queued by the node that they name, so that they never wait in one batch with those of a
 * node that is slow, and one node's operations take a quarter of the requests in flight at most.
 */
export class OperationQueue {
  readonly #options: QueueOptions;
  readonly #lanes = new Map<string, Lane>();
  #inFlight = 0;
  #isFlushing = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  /** Settles within the deadline, whatever happens to the request. */
  add(operation: BatchOperation): Promise<Answer> {
    const { clock, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () =>
        pending.reject(new SessionUnavailableError('bridge_unavailable', 'The deadline is over.')),
      );
      const pending: Pending = {
        operation,
        deadline: clock.now() + timeoutMs,
        resolve: (answer) => {
          cancel();
          resolve(answer);
        },
        reject: (error) => {
          cancel();
          reject(error);
        },
      };
      this.#laneOf(operation).waiting.push(pending);
      this.#flushSoon();
    });
  }

  #laneOf(operation: BatchOperation): Lane {
    const name = String(parseRef(operation.ref)?.index ?? '-');
    let lane = this.#lanes.get(name);
    if (lane === undefined) this.#lanes.set(name, (lane = { name, waiting: [], inFlight: 0 }));
    return lane;
  }

  /** After everything that runs in this turn has added its operations. */
  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const perLane = Math.max(1, Math.floor(this.#options.maxInFlight / 4));
    for (const lane of [...this.#lanes.values()]) {
      while (
        lane.waiting.length > 0 &&
        lane.inFlight < perLane &&
        this.#inFlight < this.#options.maxInFlight
      ) {
        const operations = takeBatch(lane.waiting, this.#options.clock.now());
        if (operations.length > 0) void this.#send(lane, operations);
      }
      if (lane.waiting.length === 0 && lane.inFlight === 0) this.#lanes.delete(lane.name);
    }
  }

  async #send(lane: Lane, operations: readonly Pending[]): Promise<void> {
    lane.inFlight += 1;
    this.#inFlight += 1;
    await this.#options.exchange(operations);
    lane.inFlight -= 1;
    this.#inFlight -= 1;
    this.#flush();
  }
}

interface Lane {
  readonly name: string;
  readonly waiting: Pending[];
  inFlight: number;
}

/** The next operations for one request, within the bounds of a batch; those that are late are left out. */
function takeBatch(waiting: Pending[], now: number): Pending[] {
  const batch: Pending[] = [];
  for (let bytes = 0; batch.length < LIMITS.batchOperations;) {
    const next = waiting[0];
    if (next === undefined) break;
    bytes += OPERATION_BYTES + (next.operation.record?.length ?? 0);
    if (batch.length > 0 && bytes > BATCH_BYTES) break;
    waiting.shift();
    if (next.deadline > now) batch.push(next);
  }
  return batch;
}
