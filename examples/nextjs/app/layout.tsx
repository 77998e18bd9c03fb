/** Every page of the App Router. */
import './globals.css';
import type { Metadata, Viewport } from 'next';
import type { ReactNode } from 'react';
import { Account } from '@/components/account';
import { Shell } from '@/components/shell';

export const metadata: Metadata = {
  title: { default: 'The Tea Room', template: '%s · The Tea Room' },
  description: 'A small shop whose sessions outlive its servers.',
};

export const viewport: Viewport = { colorScheme: 'light dark' };

export default function Layout({ children }: { children: ReactNode }): ReactNode {
  return (
    <html lang="en">
      <body>
        <Shell account={<Account />}>{children}</Shell>
      </body>
    </html>
  );
}
