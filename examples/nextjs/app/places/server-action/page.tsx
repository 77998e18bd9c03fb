import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { saveNote, saveNoteAndLeave } from '@/app/actions';
import { OutageNotice } from '@/components/notice';
import { Place } from '@/components/place';
import { SubmitButton } from '@/components/submit-button';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Server action' };

const CODE = `'use server';

export async function saveNote(form: FormData) {
  const session = await getSession();
  session.note = String(form.get('note'));
  await session.save(); // before redirect() and revalidatePath()
}

export const saveNoteAndLeave = withSession(async (form: FormData) => {
  const session = await getSession();
  session.note = String(form.get('note'));
  redirect('/');
});`;

export default async function ServerAction(): Promise<ReactNode> {
  const { note = '', meta } = await getSession();
  return (
    <Place
      title="Server actions"
      lead="An action needs no request to find its session, and the page that follows it shows what it saved."
      code={CODE}
      file="app/actions.ts"
    >
      <OutageNotice meta={meta} />
      <form className="note">
        <label htmlFor="note">A note</label>
        <input id="note" name="note" maxLength={200} defaultValue={note} />
        <SubmitButton formAction={saveNote}>Save</SubmitButton>
        <SubmitButton formAction={saveNoteAndLeave} className="button quiet">
          Save and redirect
        </SubmitButton>
      </form>
      <p>{note === '' ? 'Nothing is saved yet.' : `Saved: “${note}”, in version ${meta.version}.`}</p>
    </Place>
  );
}
