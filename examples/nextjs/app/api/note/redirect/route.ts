/** Takes a note from a plain form; withSession() saves it when the handler is done. */
import type { NextRequest } from 'next/server';
import { answering, isSameOrigin } from '@/lib/api';
import { readField } from '@/lib/forms';
import { getSession, withSession } from '@/lib/session';

const takeNote = withSession(async (request: NextRequest) => {
  const session = await getSession(request);
  session.note = readField(await request.formData(), 'note');
  return new Response(null, { status: 303, headers: { location: '/places/route-handler?saved' } });
});

export const POST = answering(async (request) =>
  isSameOrigin(request) ? takeNote(request) : Response.json({ error: 'cross_site' }, { status: 403 }),
);
