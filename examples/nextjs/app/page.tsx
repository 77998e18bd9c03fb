import type { ReactNode } from 'react';
import { getSession } from '@/lib/session';
export default async function Page(): Promise<ReactNode> {
  const session = await getSession();
  return (
    <p>
      {session.name} {session.meta.version}
    </p>
  );
}
