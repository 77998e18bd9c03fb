'use client';
/** The pages, with the one that is open marked. */
import Link from 'next/link';
import { usePathname } from 'next/navigation';
import type { ReactNode } from 'react';

const PAGES = [
  { path: '/', name: 'Shop' },
  { path: '/cart', name: 'Cart' },
  { path: '/counter', name: 'Counter' },
  { path: '/members', name: 'Members' },
  { path: '/places', name: 'Places' },
  { path: '/outage', name: 'Outages' },
] as const;

export function SiteNav(): ReactNode {
  const here = usePathname();
  const isOpen = (path: string): boolean => `${here}/`.startsWith(`${path}/`);
  return (
    <nav aria-label="Pages">
      <ul>
        {PAGES.map(({ path, name }) => (
          <li key={path}>
            <Link href={path} aria-current={isOpen(path) ? 'page' : undefined}>
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
