'use client';
/** Sends a note to a route handler and shows its answer. */
import { useState, type FormEvent, type ReactNode } from 'react';
import { announceChange } from '@/lib/change';

export function NoteByFetch({ note }: { note: string }): ReactNode {
  const [answer, setAnswer] = useState('');
  const send = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const text = new FormData(event.currentTarget).get('note');
    setAnswer(await put({ note: text }));
    announceChange();
  };
  return (
    <form className="note" onSubmit={(event) => void send(event)}>
      <label htmlFor="fetched">A note, sent with fetch()</label>
      <input id="fetched" name="note" maxLength={200} defaultValue={note} />
      <button type="submit" className="button">
        Save
      </button>
      <output>{answer}</output>
    </form>
  );
}

async function put(body: object): Promise<string> {
  try {
    const response = await fetch('/api/note', { method: 'PUT', body: JSON.stringify(body) });
    return `${response.status} ${await response.text()}`;
  } catch {
    return 'No answer.';
  }
}
