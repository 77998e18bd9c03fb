'use client';
/** When a page cannot be made, most likely because nobody can know the session. */
import { useEffect, type ReactNode } from 'react';

interface Props {
  readonly error: Error & { digest?: string };
}

export default function ErrorPage({ error }: Props): ReactNode {
  useEffect(() => console.error(error), [error]);
  return (
    <>
      <h1>We cannot reach your session</h1>
      <p className="lead">
        You have not been logged out, and nothing is lost: at the moment nobody can tell us what is in it. It
        is usually over in a few seconds.
      </p>
      <button type="button" className="button" onClick={() => window.location.reload()}>
        Try again
      </button>
    </>
  );
}
