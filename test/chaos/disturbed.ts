/** Which requests were told, or left to guess, that something is out of order. */
import type { Operation } from '../history/history.ts';

/** Refusals that are about the session itself. */
const ANSWERS: ReadonlySet<string | null> = new Set(['conflict', 'session_destroyed', 'record_too_large']);

export function isDisturbed({ outcome, error }: Operation): boolean {
  return outcome !== 'ok' && !ANSWERS.has(error);
}
