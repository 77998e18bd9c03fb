/** The platform's own time and randomness, and what it is like. */
import type { Clock, RandomBytes } from './ports.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/**
 * Whether requests, timers and what waits for them end with the visit that began them, so that no other visit may
 * rely on them: so it is in Cloudflare's workers.
 */
export function isWorkBoundToVisits(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } };
  return navigator?.userAgent === 'Cloudflare-Workers';
}
