/** The handler with this project's session. */
import { createSessions } from '@memsession/client/next';
import { change, look } from '../../../lib/visit.mjs';

const { getSession } = createSessions({
  // As for iron-session: the measuring speaks plain http. With https the cookies say so by themselves.
  cookie: { secure: false },
  // A busy machine is no outage.
  timeoutMs: 10_000,
});

export async function GET(request) {
  return Response.json(look(await getSession(request)));
}

export async function POST(request) {
  const session = await getSession(request);
  change(session);
  await session.save();
  return Response.json(look(session));
}
