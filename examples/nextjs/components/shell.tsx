/** What stands around every page, in the App Router and in the Pages Router. */
import type { ReactNode } from 'react';
import { SessionPanel } from './session-panel';
import { SiteHeader } from './site-header';

export function Shell({ account, children }: { account: ReactNode; children: ReactNode }): ReactNode {
  return (
    <>
      <SiteHeader account={account} />
      <div className="columns">
        <main id="main">{children}</main>
        <SessionPanel />
      </div>
    </>
  );
}
