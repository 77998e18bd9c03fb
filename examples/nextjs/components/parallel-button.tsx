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

async function post(path: string, body: object): Promise<boolean> {
  try {
    return (await fetch(path, { method: 'POST', body: JSON.stringify(body) })).ok;
  } catch {
    return false;
  }
}
