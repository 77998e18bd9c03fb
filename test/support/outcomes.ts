/** Counts how operations end, and which never do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { NodeError } from '../../packages/bridge/src/node.ts';
import type { NodeErrorKind } from '../../packages/bridge/src/node.ts';
import { settle } from './fake-clock.ts';

export interface Outcomes {
  readonly ok: number;
  /** How many failed. */
  readonly failed: number;
  /** Not settled when the wait was over. */
  readonly never: number;
  /** Of the failed, how many of each kind; `other` is no {@link NodeError}. */
  readonly kinds: Readonly<Partial<Record<NodeErrorKind | 'other', number>>>;
  /** When the last one settled, milliseconds after the call, without those in which this process stood still. */
  readonly lastMs: number;
}

const TICK_MS = 10;

/** Counts the time that passes for this process. What others do on this machine is no measure of the driver. */
class OwnTime implements Disposable {
  #lastTickAt = performance.now();
  #countedMs = 0;
  readonly #timer: NodeJS.Timeout = setInterval(() => {
    this.#countedMs = this.ms;
    this.#lastTickAt = performance.now();
  }, TICK_MS);

  get ms(): number {
    return this.#countedMs + Math.min(performance.now() - this.#lastTickAt, 2 * TICK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** Waits until all have settled, at most for `limitMs`. */
export async function countOutcomes(
  operations: readonly Promise<unknown>[],
  limitMs: number,
): Promise<Outcomes> {
  using time = new OwnTime();
  const kinds: Partial<Record<NodeErrorKind | 'other', number>> = {};
  let ok = 0;
  let failed = 0;
  let lastMs = 0;
  const all = operations.map((operation) =>
    operation
      .then(
        () => (ok += 1),
        (error: unknown) => {
          failed += 1;
          const kind = error instanceof NodeError ? error.kind : 'other';
          kinds[kind] = (kinds[kind] ?? 0) + 1;
        },
      )
      .finally(() => (lastMs = time.ms)),
  );
  const limit = new AbortController();
  await Promise.race([Promise.all(all), sleep(limitMs, undefined, { signal: limit.signal }).catch(() => {})]);
  limit.abort();
  // What was due before the limit, when both have passed while this process stood still.
  if (ok + failed < operations.length) await settle();
  return { ok, failed, never: operations.length - ok - failed, kinds, lastMs };
}

/** For `assert.rejects`: a {@link NodeError} of this kind. */
export function isKind(kind: NodeErrorKind): (error: unknown) => boolean {
  return (error) => error instanceof NodeError && error.kind === kind;
}
