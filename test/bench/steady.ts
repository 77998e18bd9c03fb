/** Calls at a steady rate, whether or not earlier ones have ended: what waits is not hidden. */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Rate {
  readonly perSecond: number;
  readonly forMs: number;
}

/** Resolves when all calls have ended. */
export async function callAtRate({ perSecond, forMs }: Rate, call: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  const calls: Promise<void>[] = [];
  for (;;) {
    const elapsedMs = Math.min(performance.now() - startedAt, forMs);
    const due = Math.floor((elapsedMs * perSecond) / 1_000);
    while (calls.length < due) calls.push(call());
    if (elapsedMs >= forMs) break;
    await sleep(1);
  }
  await Promise.all(calls);
}

/** Calls a second when so many callers each wait for their answer before they call again. */
export async function callsPerSecond(
  callers: number,
  forMs: number,
  call: () => Promise<void>,
): Promise<number> {
  const startedAt = performance.now();
  let count = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - startedAt < forMs) {
      await call();
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return (count * 1_000) / (performance.now() - startedAt);
}
