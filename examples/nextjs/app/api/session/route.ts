/** What the panel shows of this request's session. */
import { answering } from '@/lib/api';
import { recentEvents } from '@/lib/events';
import { instanceName } from '@/lib/instance';
import { describeSession } from '@/lib/sight';
import { getSession } from '@/lib/session';

export const GET = answering(async (request) => {
  const session = await getSession(request);
  return Response.json(
    { ...describeSession(session), instance: instanceName(), events: recentEvents() },
    { headers: { 'cache-control': 'private, no-store' } },
  );
});
