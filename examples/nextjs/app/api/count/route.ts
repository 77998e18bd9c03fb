/** Counts. */
import { mutation } from '@/lib/api';
import { getSession } from '@/lib/session';

export const POST = mutation(async (request) => {
  const session = await getSession(request);
  // `session.count += 1` would lose counts when requests run at the same time; update() does not.
  const count = await session.update((data) => (data.count = (data.count ?? 0) + 1));
  return Response.json({ count });
});
