/** What the panel shows of this request's session; with `?fresh`, confirmed with the nodes. */
import type { NextRequest } from 'next/server';
import { recentEvents } from '@/lib/events';
import { instanceName } from '@/lib/instance';
import { unlessUnavailable } from '@/lib/outage';
import { describeSession } from '@/lib/sight';
import { getSession } from '@/lib/session';

export async function GET(request: NextRequest): Promise<Response> {
  const fresh = request.nextUrl.searchParams.has('fresh');
  const session = await unlessUnavailable(getSession(request, { fresh }));
  const answer = { instance: instanceName(), events: recentEvents() };
  const headers = { 'cache-control': 'private, no-store' };
  if (session === null) return Response.json({ ...answer, error: 'unavailable' }, { status: 503, headers });
  return Response.json({ ...answer, ...describeSession(session) }, { headers });
}
