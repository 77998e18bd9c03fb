/** The handler without a session. */
import { look } from '../../../lib/visit.mjs';

export const dynamic = 'force-dynamic';

export async function GET() {
  return Response.json(look({ userId: '42', views: 1 }));
}
