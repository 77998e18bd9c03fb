/** What to do while nobody can know a session. */
import { SessionUnavailableError } from '@memsession/client';

/** The session, or null in an outage. Whatever else goes wrong is passed on. */
export async function unlessUnavailable<S>(session: Promise<S>): Promise<S | null> {
  try {
    return await session;
  } catch (error) {
    if (error instanceof SessionUnavailableError) return null;
    throw error;
  }
}
