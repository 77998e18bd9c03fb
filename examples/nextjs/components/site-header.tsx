/** The site's name and the ways through it. */
import Link from 'next/link';
import type { ReactNode } from 'react';
import { SiteNav } from './site-nav';

/** `account` says who is logged in. */
export function SiteHeader({ account }: { account: ReactNode }): ReactNode {
  return (
    <header className="site-header">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Link className="brand" href="/">
        <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
          <path d="M6 13h16v8a6 6 0 0 1-6 6h-4a6 6 0 0 1-6-6z" />
          <path d="M22 15h2a3 3 0 0 1 0 7h-2M11 9c-2-2 2-4 0-6M17 9c-2-2 2-4 0-6" />
        </svg>
        The Tea Room
      </Link>
      <SiteNav />
      <div className="account">{account}</div>
    </header>
  );
}
