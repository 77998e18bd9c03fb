/** Renews the session's cookies before a page is reached, and sends strangers from the members' pages to the login. */
import { NextResponse } from 'next/server';
import { unlessUnavailable } from '@/lib/outage';
import { getSession, sessionProxy } from '@/lib/session';

export const proxy = sessionProxy(async (request) => {
  if (!request.nextUrl.pathname.startsWith('/members')) return;
  // In an outage nobody can know who this is: the page looks for itself, as it always does.
  const session = await unlessUnavailable(getSession(request));
  if (session === null || session.name !== undefined) return;
  return NextResponse.redirect(new URL('/login?next=/members', request.url));
});

export const config = {
  matcher: [
    {
      // Pages only, and no prefetches: they need no new cookies.
      source: '/((?!api/|_next/static/|_next/image|icon.svg).*)',
      missing: [{ type: 'header', key: 'next-router-prefetch' }],
    },
  ],
};
