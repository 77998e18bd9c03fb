/** Renews the session's cookies before a page is reached, and keeps strangers from the members' pages. */
import { sessionProxy } from '@/lib/session';

export const proxy = sessionProxy();

export const config = {
  matcher: [
    { source: '/((?!_next/|api/|favicon).*)', missing: [{ type: 'header', key: 'next-router-prefetch' }] },
  ],
};
