/** A counter that counts every call, however many run at the same time. */
import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { countOnce } from '@/app/actions';
import { Code } from '@/components/code';
import { OutageNotice } from '@/components/notice';
import { ParallelButton } from '@/components/parallel-button';
import { SubmitButton } from '@/components/submit-button';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Counter' };

const CODE = `const session = await getSession(request);
const count = await session.update((data) => (data.count = (data.count ?? 0) + 1));`;

export default async function Counter(): Promise<ReactNode> {
  const session = await getSession();
  return (
    <>
      <OutageNotice meta={session.meta} />
      <h1>Counter</h1>
      <p className="lead">
        Adding one to what was read a moment ago loses counts as soon as two requests do it at once.{' '}
        <code>update()</code> runs its function again on the newer number instead.
      </p>
      <p className="count" aria-label="The count">
        {session.count ?? 0}
      </p>
      <div className="buttons">
        <form action={countOnce}>
          <SubmitButton>Count</SubmitButton>
        </form>
        <ParallelButton path="/api/count" body={{}} times={10}>
          Count ten times at the same moment
        </ParallelButton>
      </div>
      <Code>{CODE}</Code>
    </>
  );
}
