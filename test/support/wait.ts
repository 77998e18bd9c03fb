/** Waiting for conditions instead of for time. */
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 5;

/** Resolves when `isTrue` gives true; rejects when it does not within `limitMs`. */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 20_000,
): Promise<void> {
  const giveUpAt = performance.now() + limitMs;
  while (!(await isTrue())) {
    if (performance.now() > giveUpAt) throw new Error(`Waited ${limitMs} ms in vain until ${what}.`);
    await sleep(POLL_MS);
  }
}
