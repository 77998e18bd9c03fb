/** Work that outlives the answer, where the platform lets it. */
import type { WaitUntil } from './ports.ts';

/**
 * Asks the platform to wait for work that is about to begin. Gives what takes that work, however it ends; null where
 * the platform takes none, also when its function throws: outside of a request, or because it has lost its `this`.
 */
export function beginBackground(waitUntil: WaitUntil | null): ((work: Promise<unknown>) => void) | null {
  if (waitUntil === null) return null;
  let follow: ((work: Promise<unknown>) => void) | null = null;
  const promised = new Promise<unknown>((resolve) => (follow = resolve));
  try {
    waitUntil(promised);
  } catch {
    return null;
  }
  return follow;
}
