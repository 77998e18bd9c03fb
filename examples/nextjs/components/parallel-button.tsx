'use client';
/** Sends the same request several times at the same moment, and says what came of it. */
import { useRouter } from 'next/navigation';
import { useState, type ReactNode } from 'react';
import { announceChange } from '@/lib/change';

interface Props {
  readonly path: string;
  readonly body: object;
  readonly times: number;
  readonly children: ReactNode;
}

export function ParallelButton({ path, body, times, children }: Props): ReactNode {
  const router = useRouter();
  const [result, setResult] = useState('');
  const [isBusy, setBusy] = useState(false);
  const send = async (): Promise<void> => {
    setBusy(true);
    const sent = Array.from({ length: times }, () => post(path, body));
    const stored = (await Promise.all(sent)).filter((isStored) => isStored).length;
    await lookBehind();
    setBusy(false);
    setResult(
      stored === times
        ? `All ${times} were stored.`
        : `${stored} of ${times} were stored; try the rest again.`,
    );
    announceChange();
    router.refresh();
  };
  return (
    <p className="parallel">
      <button type="button" className="button" aria-disabled={isBusy} onClick={() => !isBusy && void send()}>
        {children}
      </button>
      <span role="status">{result}</span>
    </p>
  );
}

/**
 * Of answers that come at the same moment the browser keeps the cookie of the last, and that may not be the one
 * with the newest version. This answer has it.
 */
async function lookBehind(): Promise<void> {
  try {
    await fetch('/api/session?fresh');
  } catch {
    // Then the page shows what its instance knows.
  }
}

async function post(path: string, body: object): Promise<boolean> {
  try {
    return (await fetch(path, { method: 'POST', body: JSON.stringify(body) })).ok;
  } catch {
    return false;
  }
}
