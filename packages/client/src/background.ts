/** Work that outlives the answer, where the platform lets it. */
import type { WaitUntil } from './ports.ts';

/**
 * Asks the platform to wait for work that is about to begin. Gives what says that it has ended; null where the
 * platform takes none, also when its function throws: outside of a request, or because it has lost its `this`.
 */
export function beginBackground(waitUntil: WaitUntil | null): (() => void) | null {
  if (waitUntil === null) return null;
  let end: (() => void) | null = null;
  const work = new Promise<void>((resolve) => (end = resolve));
  try {
    waitUntil(work);
  } catch {
    return null;
  }
  return end;
}
