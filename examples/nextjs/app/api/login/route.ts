/** Logs in by a name, with a new session id. */
import { mutation, readText } from '@/lib/api';
import { getSession } from '@/lib/session';

export const POST = mutation(async (request) => {
  const { name } = await readText(request, ['name']);
  if (name === '') return Response.json({ error: 'name_missing' }, { status: 400 });
  const session = await getSession(request);
  session.name = name;
  // An id that somebody may have known before the login is worth nothing after it.
  await session.regenerate();
  return Response.json({ name });
});
