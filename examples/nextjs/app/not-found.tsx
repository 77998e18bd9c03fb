/** There is no such page. */
import Link from 'next/link';
import type { ReactNode } from 'react';

export default function NotFound(): ReactNode {
  return (
    <>
      <h1>There is no such page</h1>
      <p className="lead">
        But there is tea in the <Link href="/">shop</Link>.
      </p>
    </>
  );
}
