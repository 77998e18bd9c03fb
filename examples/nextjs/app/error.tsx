'use client';
/** When a page cannot be made: because nobody can know the session, or for another reason. */
import { useEffect, type ReactNode } from 'react';

interface Props {
  readonly error: Error & { digest?: string };
}

export default function ErrorPage({ error }: Props): ReactNode {
  useEffect(() => console.error(error), [error]);
  // The one thing that tells an outage from other errors here: in production their messages are hidden.
  const isOutage = error.digest === 'session_unavailable';
  return (
    <>
      <h1>{isOutage ? 'We cannot reach your session' : 'This page cannot be shown'}</h1>
      <p className="lead">
        {isOutage
          ? 'You have not been logged out, and nothing is lost: at the moment nobody can tell us what is in it. It is usually over in a few seconds.'
          : 'Something went wrong on our side.'}
      </p>
      <button type="button" className="button" onClick={() => window.location.reload()}>
        Try again
      </button>
    </>
  );
}
