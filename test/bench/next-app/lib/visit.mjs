/** What every handler does with its session, whatever kind it is. */

/** As much data as a small shop keeps. */
const FIRST = { userId: '42', cart: ['apple', 'pear', 'quince'], views: 0, name: 'A visitor', theme: 'dark' };

export function look(session) {
  return { userId: session.userId ?? null, views: session.views ?? 0 };
}

/** The first change fills the session. */
export function change(session) {
  if (session.userId === undefined) Object.assign(session, FIRST);
  session.views = (session.views ?? 0) + 1;
}
