/** How the pages tell the panel that the session may have changed, so that it looks at once. */

const EVENT = 'session-may-have-changed';

export function announceChange(): void {
  window.dispatchEvent(new Event(EVENT));
}

/** @returns how to stop listening. */
export function onChange(listen: () => void): () => void {
  window.addEventListener(EVENT, listen);
  return () => window.removeEventListener(EVENT, listen);
}
