/** Who is logged in, and the way out. */
import Link from 'next/link';
import type { ReactNode } from 'react';
import { logOut } from '@/app/actions';
import { unlessUnavailable } from '@/lib/outage';
import { getSession } from '@/lib/session';
import { SubmitButton } from './submit-button';

export async function Account(): Promise<ReactNode> {
  // The pages say what an outage means; the header must not fail with them.
  const session = await unlessUnavailable(getSession());
  if (session === null) return <span className="muted">Session not reachable</span>;
  if (session.name === undefined) {
    return (
      <Link className="button quiet" href="/login">
        Log in
      </Link>
    );
  }
  return (
    <form action={logOut}>
      <span className="name">{session.name}</span>
      <SubmitButton className="button quiet">Log out</SubmitButton>
    </form>
  );
}
