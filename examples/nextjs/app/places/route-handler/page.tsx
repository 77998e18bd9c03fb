import type { Metadata } from 'next';
import type { ReactNode } from 'react';
import { NoteByFetch } from '@/components/note-by-fetch';
import { Place } from '@/components/place';
import { SubmitButton } from '@/components/submit-button';
import { getSession } from '@/lib/session';

export const metadata: Metadata = { title: 'Route handler' };

const CODE = `// read, change, save
export async function PUT(request: NextRequest) {
  const session = await getSession(request);
  session.note = await request.text();
  await session.save();
  return Response.json({ version: session.meta.version });
}

// or saved when the handler is done, also when it redirects
export const POST = withSession(async (request: NextRequest) => {
  const session = await getSession(request);
  session.note = String((await request.formData()).get('note'));
  redirect('/');
});`;

export default async function RouteHandler(): Promise<ReactNode> {
  const { note } = await getSession();
  return (
    <Place
      title="Route handlers"
      lead="A handler gets its session from the request, and the cookies go into the answer by themselves."
      code={CODE}
      file="app/api/note/route.ts"
    >
      <NoteByFetch note={note ?? ''} />
      <form method="post" action="/api/note/redirect" className="note">
        <label htmlFor="plain">The same without JavaScript: a form, and a redirect</label>
        <input id="plain" name="note" maxLength={200} defaultValue={note ?? ''} />
        <SubmitButton className="button quiet">Save and come back</SubmitButton>
      </form>
    </Place>
  );
}
