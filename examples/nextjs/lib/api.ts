/** What the route handlers have in common. */
import { SessionUnavailableError } from '@memsession/client';
import type { NextRequest } from 'next/server';
import { withSession } from './session';

type Handler = (request: NextRequest) => Promise<Response>;

/** A handler that changes something: only for this site's own pages, and saved when it is done. */
export function mutation(handler: Handler): Handler {
  const saved = withSession(handler);
  return answering(async (request) =>
    isSameOrigin(request) ? saved(request) : Response.json({ error: 'cross_site' }, { status: 403 }),
  );
}

/** A handler that says 503 while nobody can know the session: never "you are logged out". */
export function answering(handler: Handler): Handler {
  return async (request) => {
    try {
      return await handler(request);
    } catch (error) {
      if (!(error instanceof SessionUnavailableError)) throw error;
      return Response.json({ error: error.code }, { status: 503, headers: { 'retry-after': '2' } });
    }
  };
}

/** Browsers say where a request comes from; a form or a script of another site cannot change that. */
export function isSameOrigin({ headers }: NextRequest): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== null) return site === 'same-origin';
  const origin = headers.get('origin');
  return origin !== null && URL.canParse(origin) && new URL(origin).host === headers.get('host');
}

const LONGEST_TEXT = 200;

/** Text fields of a JSON body; each is empty when there is none. */
export async function readText<K extends string>(
  request: NextRequest,
  fields: readonly K[],
): Promise<Record<K, string>> {
  const body: unknown = await request.json().catch(() => null);
  const read = (field: K): string => {
    const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, field) : null;
    return typeof value === 'string' ? value.trim().slice(0, LONGEST_TEXT) : '';
  };
  // Each of the fields is there.
  return Object.fromEntries(fields.map((field) => [field, read(field)])) as Record<K, string>;
}
