/** A page of the Pages Router that counts its visits. */
import type { GetServerSideProps, InferGetServerSidePropsType } from 'next';
import Head from 'next/head';
import Link from 'next/link';
import type { ReactNode } from 'react';
import { Place } from '@/components/place';
import { Shell } from '@/components/shell';
import { unlessUnavailable } from '@/lib/outage';
import { getSession } from '@/lib/session';

const CODE = `export const getServerSideProps = async ({ req, res }) => {
  const session = await getSession(req, res);
  session.views = (session.views ?? 0) + 1;
  await session.save();
  return { props: { views: session.views } };
};`;

interface Props {
  readonly name: string | null;
  /** Null in an outage. */
  readonly views: number | null;
}

export const getServerSideProps = (async ({ req, res }) => {
  const session = await unlessUnavailable(getSession(req, res));
  if (session === null) return { props: { name: null, views: null } };
  session.views = (session.views ?? 0) + 1;
  await session.save();
  return { props: { name: session.name ?? null, views: session.views } };
}) satisfies GetServerSideProps<Props>;

export default function PagesRouter({
  name,
  views,
}: InferGetServerSidePropsType<typeof getServerSideProps>): ReactNode {
  const account = name === null ? <Link href="/login">Log in</Link> : <span className="name">{name}</span>;
  return (
    <Shell account={account}>
      <Head>
        <title>Pages Router · The Tea Room</title>
      </Head>
      <Place
        title="The Pages Router"
        lead="API routes and getServerSideProps hand over request and response. It is the same session as everywhere else."
        code={CODE}
        file="pages/places/pages-router.tsx"
      >
        <p>
          {views === null
            ? 'Nobody can know your session at the moment.'
            : `You have looked at this page ${views === 1 ? 'once' : `${views} times`}.`}
        </p>
      </Place>
    </Shell>
  );
}
