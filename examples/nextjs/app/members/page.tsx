/** For members only. The page looks for itself: proxy.ts is a courtesy, not a boundary. */
import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import type { ReactNode } from 'react';
import { Code } from '@/components/code';
import { OutageNotice } from '@/components/notice';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Members' };

const CODE = `// app/members/page.tsx: the boundary
const session = await getSession();
if (session.name === undefined) redirect('/login?next=/members');

// proxy.ts: sends strangers away before the page is even built
export const proxy = sessionProxy(async (request) => {
  const session = await getSession(request);
  if (session.name === undefined) return NextResponse.redirect(new URL('/login', request.url));
});`;

export default async function Members(): Promise<ReactNode> {
  const session = await getSession();
  if (session.name === undefined) redirect('/login?next=/members');
  return (
    <>
      <OutageNotice meta={session.meta} />
      <h1>The lemon cake</h1>
      <p className="lead">For members only, {session.name}: this is how we make it.</p>
      <ol className="recipe">
        <li>Beat 200 g of butter with 200 g of sugar, then four eggs, one after the other.</li>
        <li>Fold in 200 g of flour, two spoons of baking powder, and the zest of three lemons.</li>
        <li>Bake at 170 °C for 45 minutes.</li>
        <li>While it is warm, pour the juice of the lemons over it, stirred with 80 g of sugar.</li>
      </ol>
      <h2>Who keeps the door</h2>
      <p>
        The check stands in the page. A second one in <code>proxy.ts</code> saves strangers the trip, but it
        has been possible to walk around such checks more than once, so nothing may depend on it alone.
      </p>
      <Code>{CODE}</Code>
    </>
  );
}
