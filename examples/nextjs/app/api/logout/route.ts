/** Ends the session, on every instance. */
import { mutation } from '@/lib/api';
import { getSession } from '@/lib/session';

export const POST = mutation(async (request) => {
  await (await getSession(request)).destroy();
  return Response.json({ name: null });
});
