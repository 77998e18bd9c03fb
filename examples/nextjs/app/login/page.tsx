/** The login, by name alone. */
import type { Metadata } from 'next';
import { redirect } from 'next/navigation';
import type { ReactNode } from 'react';
import { logIn } from '@/app/actions';
import { SubmitButton } from '@/components/submit-button';
import { readPath } from '@/lib/forms';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Log in' };

interface Props {
  readonly searchParams: Promise<Record<string, string | string[] | undefined>>;
}

export default async function Login({ searchParams }: Props): Promise<ReactNode> {
  const session = await getSession();
  const { next = '/', missing } = await searchParams;
  const wanted = readPath(typeof next === 'string' ? next : '/');
  if (session.name !== undefined) redirect(wanted);
  return (
    <>
      <h1>Log in</h1>
      <p className="lead">
        {wanted === '/members' ? 'The members’ pages are for people whose name we know. ' : ''}
        We trust everybody: a name is enough. Your session gets a new id, and keeps your cart.
      </p>
      <form action={logIn} className="login">
        <input type="hidden" name="next" value={wanted} />
        <label htmlFor="name">Your name</label>
        <input
          id="name"
          name="name"
          required
          maxLength={40}
          autoComplete="given-name"
          aria-describedby={missing === undefined ? undefined : 'missing'}
        />
        {missing !== undefined && (
          <p id="missing" className="error">
            Please tell us your name.
          </p>
        )}
        <SubmitButton>Log in</SubmitButton>
      </form>
    </>
  );
}
