/** The handler with a session that iron-session keeps in the cookie. */
import { getIronSession } from 'iron-session';
import { cookies } from 'next/headers';
import { change, look } from '../../../lib/visit.mjs';

const options = {
  password: process.env.SESSION_SECRET,
  cookieName: 'iron',
  cookieOptions: { secure: false },
};

export async function GET() {
  return Response.json(look(await getIronSession(await cookies(), options)));
}

export async function POST() {
  const session = await getIronSession(await cookies(), options);
  change(session);
  await session.save();
  return Response.json(look(session));
}
