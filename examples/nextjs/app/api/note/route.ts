/** Takes a note, the explicit way: read, change, save. */
import { NextRequest } from 'next/server';
import { answering, isSameOrigin, readText } from '@/lib/api';
import { getSession } from '@/lib/session';

export const PUT = answering(async (request: NextRequest) => {
  if (!isSameOrigin(request)) return Response.json({ error: 'cross_site' }, { status: 403 });
  const { note } = await readText(request, ['note']);
  const session = await getSession(request);
  session.note = note;
  await session.save();
  return Response.json({ note, version: session.meta.version });
});
