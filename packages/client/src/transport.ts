/** Operations to the bridges: tried in turn within one deadline, and batched when they wait together. */
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

/** Share of the time left that a try gets when another can follow: a bridge that hangs leaves time for the next. */
const TRY_SHARE = 0.6;
/** Fewest tries; with more bridges, each gets one. All operations are safe to repeat. */
const TRIES = 2;
/** Milliseconds before the same bridge is tried again, at most; jittered. */
const BACKOFF_MS = 50;
/** A bridge that is left alone is probed so long after its last failure when another one fails, milliseconds. */
const NUDGE_MS = 250;
/** And so long when there is no other, so that an outage is over for the clients when it is over for the bridges. */
const ALONE_MS = 1_000;
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
    let open = operations;
    let error: SessionError | null = null;
    const tried: Bridge[] = [];
    while (open.length > 0) {
      const next = await this.#next(tried, open);
      const left = this.#leftMs(open);
      if (next === null || left <= 0) break;
      const outcome = await this.#try(next.bridge, open, next.isLast ? left : left * TRY_SHARE);
      tried.push(next.bridge);
      open = outcome.open;
      error = outcome.error ?? error;
    }
    if (open.length === 0) return;
    error ??= new SessionUnavailableError('bridge_unavailable', 'It failed repeatedly.');
    for (const pending of open) pending.reject(error);
  }

  /**
   * Whom to ask next: from the last good one on, first those that were not asked yet. Which of them are usable
   * is looked up again each time, because the one that is back is often found by what failed at another.
   */
  async #next(
    tried: readonly Bridge[],
    open: readonly Pending[],
  ): Promise<{ bridge: Bridge; isLast: boolean } | null> {
    const [first, ...others] = this.#usableBridges().filter((bridge) => !tried.includes(bridge));
    if (first !== undefined) return { bridge: first, isLast: others.length === 0 && tried.length > 0 };
    const bridge = tried.length === 0 ? await this.#whenAllAreLeft(open) : await this.#afterAll(tried, open);
    return bridge === null ? null : { bridge, isLast: true };
  }

  /** Every bridge is left alone: that is an outage, unless the last one has just failed others. */
  async #whenAllAreLeft(open: readonly Pending[]): Promise<Bridge | null> {
    for (const bridge of this.#bridges) bridge.nudge(ALONE_MS);
    // One that is back may not have been found yet.
    const mayBeBack = this.#bridges.some(({ isNewlyLeft }) => isNewlyLeft) && this.#leftMs(open) > 0;
    return mayBeBack ? this.#probeOthers([], open) : null;
  }

  /** All that could be asked were tried: one that was left alone is well again, or one is asked again. */
  async #afterAll(tried: readonly Bridge[], open: readonly Pending[]): Promise<Bridge | null> {
    const found = this.#leftMs(open) > 0 ? await this.#probeOthers(tried, open) : null;
    if (found !== null) return found;
    const again = this.#usableBridges().find(({ isOverloaded }) => !isOverloaded);
    if (tried.length >= TRIES || again === undefined || this.#leftMs(open) <= 0) return null;
    await this.#backOff(this.#leftMs(open));
    return again;
  }

  /** From the last good one on, without those that are left alone; those that want to be spared come last. */
  #usableBridges(): Bridge[] {
    const inTurn = [...this.#bridges.slice(this.#preferred), ...this.#bridges.slice(0, this.#preferred)];
    const usable = inTurn.filter((bridge) => bridge.isUsable);
    if (usable.length === 1) return usable;
    return [...usable.filter(({ isSpared }) => !isSpared), ...usable.filter(({ isSpared }) => isSpared)];
  }

  /** All that were tried have failed: one that was left alone may be well again. Gives it, or null. */
  async #probeOthers(tried: readonly Bridge[], open: readonly Pending[]): Promise<Bridge | null> {
    const others = this.#bridges.filter((bridge) => !tried.includes(bridge));
    for (const bridge of others) bridge.nudge(NUDGE_MS);
    const probes = others.map(async (bridge) => {
      if (bridge.isUsable) return bridge;
      await bridge.probed;
      if (bridge.isUsable) return bridge;
      throw new Error('It is not well.');
    });
    if (probes.length === 0) return null;
    let cancel = ignore;
    const late = new Promise<null>((resolve) => {
      cancel = this.#options.clock.after(this.#leftMs(open) * TRY_SHARE, () => resolve(null));
    });
    const found = await Promise.race([Promise.any(probes).catch(() => null), late]);
    cancel();
    return found;
  }

  #leftMs(open: readonly Pending[]): number {
    return latestDeadline(open) - this.#options.clock.now();
  }

  #backOff(leftMs: number): Promise<void> {
    const { clock, random } = this.#options;
    const share = 0.5 + (random(1)[0] ?? 0) / 512;
    return new Promise((resolve) => void clock.after(Math.min(BACKOFF_MS, leftMs / 4) * share, resolve));
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

function ignore(): void {
  // Nothing is to be done.
}
