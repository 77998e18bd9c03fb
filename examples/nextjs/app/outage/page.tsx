/** What a visitor sees when the store of the sessions is gone. */
import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { saveNote } from '@/app/actions';
import { OutageNotice } from '@/components/notice';
import { SubmitButton } from '@/components/submit-button';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Outages' };

export default async function Outage(): Promise<ReactNode> {
  const session = await getSession();
  const { source, version } = session.meta;
  return (
    <>
      <OutageNotice meta={session.meta} />
      <h1>When everything is gone</h1>
      <p className="lead">
        Stop the bridge, or all three nodes, and leave a note. It is sealed into your browser’s cookie until
        somebody can store it again. Nobody is logged out, because nobody knowing is not the same as there
        being no session.
      </p>
      <form action={saveNote} className="note live">
        <label htmlFor="note">A note</label>
        <input id="note" name="note" maxLength={200} defaultValue={session.note ?? ''} />
        <SubmitButton>Save</SubmitButton>
      </form>
      <p>
        {session.note === undefined || session.note === ''
          ? 'You have not left a note yet.'
          : `“${session.note}” is ${source === 'cookie' ? 'in your cookie' : 'stored'}, as part of version ${version}.`}
      </p>
      <h2>What happens</h2>
      <table className="stacking">
        <thead>
          <tr>
            <th scope="col">What is gone</th>
            <th scope="col">Reading</th>
            <th scope="col">Saving</th>
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">An instance</th>
            <td data-label="Reading">another one takes over</td>
            <td data-label="Saving">as ever</td>
          </tr>
          <tr>
            <th scope="row">One node</th>
            <td data-label="Reading">the other copy</td>
            <td data-label="Saving">on another node</td>
          </tr>
          <tr>
            <th scope="row">The bridge, or all nodes</th>
            <td data-label="Reading">the instance’s memory, marked as unconfirmed</td>
            <td data-label="Saving">the cookie, up to 4 KB</td>
          </tr>
          <tr>
            <th scope="row">All of it, instance included</th>
            <td data-label="Reading">503: nobody can know, nobody is logged out</td>
            <td data-label="Saving">503</td>
          </tr>
        </tbody>
      </table>
    </>
  );
}
