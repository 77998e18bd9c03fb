/** Lets the panel see, stop and start what `npm start` runs. The browser never talks to the control API itself. */
import { isSameOrigin, readText } from '@/lib/api';
import { controlStack, readStack } from '@/lib/stack';
import { isPartKind, isStackAction } from '@/lib/stack-state';
import type { NextRequest } from 'next/server';

const HEADERS = { 'cache-control': 'private, no-store' };

/** Null when the app runs alone. */
export async function GET(_request: NextRequest): Promise<Response> {
  return Response.json(await readStack(), { headers: HEADERS });
}

export async function POST(request: NextRequest): Promise<Response> {
  if (!isSameOrigin(request)) return Response.json({ error: 'cross_site' }, { status: 403 });
  const { kind, which, action } = await readText(request, ['kind', 'which', 'action']);
  if (!isPartKind(kind) || !isStackAction(action)) {
    return Response.json({ error: 'unknown_part' }, { status: 400 });
  }
  return Response.json(await controlStack(kind, which, action), { headers: HEADERS });
}
