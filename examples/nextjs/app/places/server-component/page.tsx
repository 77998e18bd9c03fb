import { SessionError } from '@memsession/client';
import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { Place } from '@/components/place';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Server component' };

const CODE = `export default async function Page() {
  const session = await getSession();
  return <p>{session.name}</p>;
}`;

export default function ServerComponent(): ReactNode {
  return (
    <Place
      title="Server components"
      lead="A component reads the session; however many of them ask, it is loaded once a request. Next.js sets no cookies while it renders, so writing is refused, and the error says what to do instead."
      code={CODE}
      file="app/places/server-component/page.tsx"
    >
      <dl className="facts wide">
        <Reader name="One component sees" />
        <Reader name="Another one sees" />
        <Writer />
      </dl>
    </Place>
  );
}

async function Reader({ name }: { name: string }): Promise<ReactNode> {
  const { name: visitor = 'a stranger', cart = [], meta } = await getSession();
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {visitor}, {cart.length} in the cart, version {meta.version}
      </dd>
    </div>
  );
}

/** What a component gets that tries to write. */
async function Writer(): Promise<ReactNode> {
  const session = await getSession();
  let refusal = 'nothing: this should have been refused';
  try {
    session.note = 'written by a component';
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    refusal = error.message;
  }
  return (
    <div>
      <dt>A third one writes and gets</dt>
      <dd>{refusal}</dd>
    </div>
  );
}
