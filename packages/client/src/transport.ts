/** Operations to the bridges: tried in turn within one deadline, and batched when they wait together. */
import { type Attempt, Attempts } from './attempts.ts';
import { OperationQueue, type Pending } from './batch.ts';
import type { Breaker } from './breaker.ts';
import { Bridge } from './bridge.ts';
import type { DeferredOperations } from './deferred.ts';
import { SessionError, SessionUnavailableError } from './errors.ts';
import type { Clock, Fetch, RandomBytes } from './ports.ts';
import type { BatchOperation } from './protocol.ts';
import { TokenMaker } from './token.ts';
import { batchRequestOf, checkResult, readBatch, readSingle, requestOf, type Answer } from './wire.ts';

export interface TransportOptions {
  readonly breakers: Map<string, Breaker>;
  /** What leaves with the operations that somebody waits for. */
  readonly deferred: DeferredOperations;
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

/** Answer bytes besides records. */
const ANSWER_BYTES = 65_536;

export class Transport {
  readonly #options: TransportOptions;
  readonly #bridges: readonly Bridge[];
  readonly #queue: OperationQueue;
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
    this.#options.deferred.leave(this.#options.clock.now(), (waiting) => this.#queue.add(waiting));
    return answer;
  }

  /** Settles every operation; never rejects. */
  async #exchange(operations: readonly Pending[]): Promise<void> {
    const { clock, random } = this.#options;
    const bridges = [...this.#bridges.slice(this.#preferred), ...this.#bridges.slice(0, this.#preferred)];
    const attempts = new Attempts({ bridges, deadline: latestDeadline(operations), clock, random });
    let open = operations;
    let error: SessionError | null = null;
    while (open.length > 0) {
      const next = await attempts.next();
      if (next === null) break;
      const outcome = await this.#try(next, open);
      open = outcome.open;
      if (outcome.error === null) continue;
      error = outcome.error;
      attempts.failed(next.bridge, error);
    }
    if (open.length === 0) return;
    error ??= new SessionUnavailableError('bridge_unavailable', 'It failed repeatedly.');
    for (const pending of open) pending.reject(error);
  }

  /** One request; settles what is settled by its answer and gives back what may be tried again. */
  async #try({ bridge, timeoutMs }: Attempt, open: readonly Pending[]): Promise<TryOutcome> {
    let results;
    const { clock } = this.#options;
    const began = clock.now();
    try {
      results = await this.#request(bridge, open, timeoutMs);
    } catch (thrown) {
      const error = asSessionError(thrown);
      bridge.failed(error, clock.now() - began);
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
    else bridge.failed(error, clock.now() - began);
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
