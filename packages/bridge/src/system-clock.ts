/** The clock of the running process; tests bring their own. */
import type { Clock } from './node.ts';

export const systemClock: Clock = {
  now: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
