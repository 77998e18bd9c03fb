/** Operations to the bridges: tried in turn within one deadline, and batched when they wait together. */
import { OperationQueue, type Pending } from './batch.ts';
import type { Breaker } from './breaker.ts';
import { Bridge } from './bridge.ts';
import { SessionError, SessionUnavailableError } from './errors.ts';
import type { Clock, Fetch, RandomBytes } from './ports.ts';
import type { BatchOperation } from './protocol.ts';
import { TokenMaker } from './token.ts';
import { batchRequestOf, checkResult, readBatch, readSingle, requestOf, type Answer } from './wire.ts';

export interface TransportOptions {
  readonly breakers: Map<string, Breaker>;
  readonly app: string;
  readonly bridgeUrls: readonly string[];
  readonly bridgeSecret: string;
  readonly bridgeToken: (() => string | Promise<string>) | null;
  readonly timeoutMs: number;
  readonly maxInFlight: number;
  readonly maxRecordBytes: number;
  readonly fetch: Fetch;
  /** Never goes back. */
  readonly clock: Clock;
  /** What tokens say about their time. */
  readonly wallClock: Clock;
  readonly random: RandomBytes;
}

/** Share of the time left that a try gets when another can follow: a bridge that hangs leaves time for the next. */
const TRY_SHARE = 0.6;
/** Fewest tries; with more bridges, each gets one. All operations are safe to repeat. */
const TRIES = 2;
/** Milliseconds before the same bridge is tried again, at most; jittered. */
const BACKOFF_MS = 50;
/** Answer bytes besides records. */
const ANSWER_BYTES = 65_536;
/** Operations that wait for the next request to a bridge. */
const DEFERRED = 1000;

export class Transport {
  readonly #options: TransportOptions;
  readonly #bridges: readonly Bridge[];
  readonly #queue: OperationQueue;
  /** Method and ref → operation that nobody waits for. */
  readonly #deferred = new Map<string, Deferred>();
  /** Where the last good answer came from. */
  #preferred = 0;

  constructor(options: TransportOptions) {
    const { clock, timeoutMs, maxInFlight } = options;
    const { bridgeToken } = options;
    const token =
      bridgeToken === null
        ? new TokenMaker({ ...options, clock: options.wallClock })
        : { get: bridgeToken, drop: () => undefined };
    this.#options = options;
    this.#bridges = options.bridgeUrls.map((url) => new Bridge(url, token, options));
    const exchange = (operations: readonly Pending[]): Promise<void> => this.#exchange(operations);
    this.#queue = new OperationQueue({ clock, timeoutMs, maxInFlight, exchange });
  }

  /**
   * Sends one operation, together with others that wait at the same time.
   * @throws SessionUnavailableError nobody could do it in time; SessionError it was refused for good.
   */
  send(operation: BatchOperation): Promise<Answer> {
    const answer = this.#queue.add(operation);
    for (const { operation: waiting, onAnswer } of this.#deferred.values()) {
      // What fails is done again when somebody needs it.
      this.#queue.add(waiting).then(onAnswer, () => undefined);
    }
    this.#deferred.clear();
    return answer;
  }

  /** Sends the operation with the next one that somebody waits for. Only an answer is reported. */
  defer(operation: BatchOperation, onAnswer: (answer: Answer) => void): void {
    if (this.#deferred.size >= DEFERRED) return;
    this.#deferred.set(`${operation.method} ${operation.ref}`, { operation, onAnswer });
  }

  /** Settles every operation; never rejects. */
  async #exchange(operations: readonly Pending[]): Promise<void> {
    const usable = this.#usableBridges();
    const overloaded = new Set<Bridge>();
    let open = operations;
    let error: SessionError = new SessionUnavailableError('bridge_unavailable', 'It failed repeatedly.');
    const tries = usable.length === 0 ? 0 : Math.max(TRIES, usable.length);
    for (let attempt = 0; attempt < tries && open.length > 0; attempt += 1) {
      const bridge = usable[attempt % usable.length];
      const left = latestDeadline(open) - this.#options.clock.now();
      if (bridge === undefined || left <= 0) break;
      if (overloaded.has(bridge)) continue;
      if (attempt >= usable.length) await this.#backOff(left);
      const isLast = attempt === tries - 1;
      const outcome = await this.#try(bridge, open, isLast ? left : left * TRY_SHARE);
      open = outcome.open;
      error = outcome.error ?? error;
      // To ask again at once would be twice the work.
      if (outcome.error?.code === 'overloaded') overloaded.add(bridge);
    }
    for (const pending of open) pending.reject(error);
  }

  /** From the last good one on, without those that are left alone; those that want to be spared come last. */
  #usableBridges(): Bridge[] {
    const inTurn = [...this.#bridges.slice(this.#preferred), ...this.#bridges.slice(0, this.#preferred)];
    const usable = inTurn.filter((bridge) => bridge.isUsable);
    if (usable.length === 1) return usable;
    return [...usable.filter(({ isSpared }) => !isSpared), ...usable.filter(({ isSpared }) => isSpared)];
  }

  #backOff(leftMs: number): Promise<void> {
    const { clock, random } = this.#options;
    const delayMs = Math.min(BACKOFF_MS, leftMs / 4) * ((random(1)[0] ?? 0) / 256);
    return new Promise((resolve) => void clock.after(delayMs, resolve));
  }

  /** One request; settles what is settled by its answer and gives back what may be tried again. */
  async #try(bridge: Bridge, open: readonly Pending[], timeoutMs: number): Promise<TryOutcome> {
    let results;
    try {
      results = await this.#request(bridge, open, timeoutMs);
    } catch (thrown) {
      const error = asSessionError(thrown);
      bridge.failed(error);
      if (isFinal(error)) for (const pending of open) pending.reject(error);
      return { open: isFinal(error) ? [] : open, error };
    }
    const again: Pending[] = [];
    let error: SessionError | null = null;
    for (const [i, pending] of open.entries()) {
      const result = results[i];
      if (result instanceof SessionError && !isFinal(result)) {
        again.push(pending);
        error = result;
      } else if (result instanceof SessionError) pending.reject(result);
      else if (result !== undefined) pending.resolve(result);
    }
    if (error === null) this.#answered(bridge);
    else bridge.failed(error);
    return { open: again, error };
  }

  async #request(
    bridge: Bridge,
    open: readonly Pending[],
    timeoutMs: number,
  ): Promise<(Answer | SessionError)[]> {
    const { maxRecordBytes } = this.#options;
    const operations = open.map(({ operation }) => operation);
    const [single] = operations;
    const isSingle = operations.length === 1 && single !== undefined;
    const request = isSingle ? requestOf(single) : batchRequestOf(operations);
    const maxBytes = ANSWER_BYTES + maxRecordBytes * operations.length;
    const results = await bridge.request(request, {
      timeoutMs,
      read: async (response) =>
        isSingle ? [await readSingle(response, maxBytes)] : readBatch(response, operations.length, maxBytes),
    });
    return operations.map((operation, i) => {
      const result = results[i];
      if (result === undefined) return new SessionUnavailableError('invalid_response');
      try {
        return checkResult(operation, result);
      } catch (error) {
        return asSessionError(error);
      }
    });
  }

  #answered(bridge: Bridge): void {
    bridge.succeeded();
    this.#preferred = this.#bridges.indexOf(bridge);
  }
}

interface Deferred {
  readonly operation: BatchOperation;
  readonly onAnswer: (answer: Answer) => void;
}

interface TryOutcome {
  readonly open: readonly Pending[];
  readonly error: SessionError | null;
}

/** Whether another bridge would say the same, or asking again would make things worse. */
function isFinal(error: SessionError): boolean {
  if (!(error instanceof SessionUnavailableError)) return true;
  return error.code === 'out_of_memory' || error.code === 'rate_limited';
}

function latestDeadline(pending: readonly Pending[]): number {
  return Math.max(...pending.map(({ deadline }) => deadline));
}

function asSessionError(thrown: unknown): SessionError {
  if (thrown instanceof SessionError) return thrown;
  return new SessionUnavailableError('bridge_unavailable', undefined, { cause: thrown });
}
