'use client';
/** Asks for a streamed answer and shows it as it comes. */
import { useState, type ReactNode } from 'react';
import { announceChange } from '@/lib/change';

export function StreamReader(): ReactNode {
  const [text, setText] = useState('');
  const [isBusy, setBusy] = useState(false);
  const read = async (): Promise<void> => {
    setBusy(true);
    setText('');
    await readStream('/api/stream', (part) => setText((before) => before + part));
    setBusy(false);
    announceChange();
  };
  return (
    <>
      <button type="button" className="button" aria-disabled={isBusy} onClick={() => !isBusy && void read()}>
        Stream an answer
      </button>
      <pre className="stream" role="status">
        {text}
      </pre>
    </>
  );
}

async function readStream(path: string, onPart: (text: string) => void): Promise<void> {
  try {
    const { body } = await fetch(path, { method: 'POST' });
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      onPart(part.value);
  } catch {
    onPart('The answer broke off.');
  }
}
