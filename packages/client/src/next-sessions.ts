/** What createSessions() gives, on whatever platform stands below it. */
import { createSessionManager, type LoadOptions, type SessionManager } from './manager.ts';
import type { NextPlatform, PagesRequest, PagesResponse } from './next-platform.ts';
import { createProxy, type Guard, type SessionProxy } from './next-proxy.ts';
import { Visits } from './next-visits.ts';
import { isRequest, wrapHandler } from './next-wrap.ts';
import type { SessionOptions } from './options.ts';
import type { Session } from './session.ts';

/** The session of the request that is being handled; a new, empty one for a visitor without one. */
export interface GetSession<T extends object> {
  /**
   * In server components, which can only read it, and in server actions.
   * @throws SessionUnavailableError nobody can know, and this instance holds nothing that may be shown.
   */
  (options?: LoadOptions): Promise<Session<T>>;
  /** In route handlers, proxy.ts and middleware.ts. */
  (request: Request, options?: LoadOptions): Promise<Session<T>>;
  /** In the Pages Router: API routes and `getServerSideProps`. */
  (request: PagesRequest, response: PagesResponse, options?: LoadOptions): Promise<Session<T>>;
}

export interface NextSessions<T extends object> {
  /**
   * Called several times for one request, it gives the same object. `save()` sets the cookies wherever Next.js
   * lets it: in a streamed answer, before the stream begins.
   *
   * @example
   * export async function POST(request: NextRequest) {
   *   const session = await getSession(request);
   *   session.views = (session.views ?? 0) + 1;
   *   await session.save();
   *   return Response.json({ views: session.views });
   * }
   */
  readonly getSession: GetSession<T>;
  /**
   * Wraps a route handler or a server action: its session is saved when it has returned or redirected. Whatever
   * else it throws is passed on, and then nothing is saved.
   *
   * @example
   * export const POST = withSession(async (request: NextRequest) => {
   *   (await getSession(request)).name = 'Ada';
   *   redirect('/');
   * });
   */
  readonly withSession: <A extends readonly unknown[], R>(
    handler: (...args: A) => R | Promise<R>,
  ) => (...args: A) => Promise<R>;
  /**
   * For proxy.ts or middleware.ts: renews the browser's cookies, which server components cannot, in such a way
   * that the page of the same request sees them. A guard may answer in place of the page, but it is no boundary:
   * every page and handler must look at the session itself.
   *
   * @example
   * export const proxy = sessionProxy(async (request) => {
   *   const session = await getSession(request);
   *   if (session.name === undefined) return NextResponse.redirect(new URL('/login', request.url));
   * });
   */
  readonly sessionProxy: (guard?: Guard) => SessionProxy;
}

export function createNextSessions<T extends object>(
  options: SessionOptions<T>,
  platform: NextPlatform,
): NextSessions<T> {
  let made: SessionManager<T> | null = null;
  const manager = (): SessionManager<T> => (made ??= createSessionManager(options));
  const visits = new Visits(manager, platform);
  return {
    getSession: (...args: readonly unknown[]) => getSession(visits, args),
    withSession: (handler) => wrapHandler(handler, { visits, manager, platform }),
    sessionProxy: (guard = () => null) => createProxy(visits, guard),
  };
}

/** Tells the places apart by what they hand over. */
function getSession<T extends object>(
  visits: Visits<T>,
  [first, second, third]: readonly unknown[],
): Promise<Session<T>> {
  if (isRequest(first)) return visits.getSession(first, second ?? {});
  if (!isPagesRequest(first)) return visits.getSession(null, first ?? {});
  if (isPagesResponse(second)) return visits.getPagesSession(first, second, third ?? {});
  throw new TypeError('In the Pages Router getSession() takes the request and the response.');
}

function isPagesRequest(value: unknown): value is PagesRequest {
  return typeof value === 'object' && value !== null && 'headers' in value;
}

function isPagesResponse(value: unknown): value is PagesResponse {
  return typeof value === 'object' && value !== null && 'setHeader' in value;
}
