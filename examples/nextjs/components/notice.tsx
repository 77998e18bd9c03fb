/** What a visitor should know about the session that a page shows. */
import type { SessionMeta } from '@memsession/client/next';
import type { ReactNode } from 'react';

export function OutageNotice({ meta }: { meta: SessionMeta }): ReactNode {
  if (meta.source === 'cookie') {
    return (
      <p className="notice" role="status">
        <strong>The session store cannot be reached.</strong> What you do is kept in your browser and stored
        when it is back. You can go on.
      </p>
    );
  }
  if (!meta.stale) return null;
  return (
    <p className="notice" role="status">
      <strong>The session store cannot be reached.</strong> You see what this server remembers of your
      session.
    </p>
  );
}
