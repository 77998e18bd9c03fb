import type { Metadata } from 'next';
import { cookies } from 'next/headers';
import type { ReactNode } from 'react';
import { Place } from '@/components/place';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'proxy.ts' };

const CODE = `export const proxy = sessionProxy(async (request) => {
  if (!request.nextUrl.pathname.startsWith('/members')) return;
  const session = await getSession(request);
  if (session.name === undefined) {
    return NextResponse.redirect(new URL('/login', request.url));
  }
});

export const config = {
  matcher: [{
    source: '/((?!api/|_next/static/|_next/image|icon.svg).*)',
    missing: [{ type: 'header', key: 'next-router-prefetch' }],
  }],
};`;

export default async function Proxy(): Promise<ReactNode> {
  const { meta } = await getSession();
  const [index = '–', version = '–'] = (await readHint()).split('.');
  return (
    <Place
      title="proxy.ts and middleware.ts"
      lead="Server components cannot set cookies, so sessionProxy() does it before they run: when the session has moved to another node, or the cookie is past half of its life, the page of the same request already sees the new one."
      code={CODE}
      file="proxy.ts"
    >
      <dl className="facts wide">
        <div>
          <dt>The cookie says</dt>
          <dd>
            node {index}, version {version}
          </dd>
        </div>
        <div>
          <dt>The session is</dt>
          <dd>
            on node {meta.home ?? '–'}, at version {meta.version}
          </dd>
        </div>
      </dl>
      <p>Stop the home of your session in the panel, wait until it has moved, and load this page again.</p>
    </Place>
  );
}

/** The second cookie: `<node index>.<version>.<tag>`. */
async function readHint(): Promise<string> {
  const store = await cookies();
  return store.get('session-at')?.value ?? store.get('__Host-session-at')?.value ?? '';
}
