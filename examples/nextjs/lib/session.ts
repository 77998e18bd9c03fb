/** The sessions of this app: what they hold, and how to get them. */
import { createSessions } from '@memsession/client/next';
import { rememberEvent } from './events';

/** What this app keeps in a visitor's session. */
export interface SessionData {
  /** Who is logged in. */
  name: string;
  /** Product ids, in the order in which they were put in. */
  cart: string[];
  /** What the counter shows. */
  count: number;
  /** A line of text that the visitor left. */
  note: string;
  /** How often the page of the Pages Router was looked at. */
  views: number;
}

// SESSION_SECRET, BRIDGE_URL and BRIDGE_SECRET come from the environment.
export const { getSession, withSession, sessionProxy } = createSessions<SessionData>({
  onEvent: rememberEvent,
});
