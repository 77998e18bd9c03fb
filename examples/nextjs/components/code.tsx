/** A few lines of code. */
import type { ReactNode } from 'react';

export function Code({ children }: { children: string }): ReactNode {
  return (
    <pre className="code" tabIndex={0}>
      <code>{children}</code>
    </pre>
  );
}
