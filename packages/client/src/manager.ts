/** createSessionManager(): sessions for fetch-style requests, and the ground that adapters stand on. */
import type { CookieJar } from './cookies.ts';
import type { SessionHandle } from './handle.ts';
import { SessionOpener } from './opener.ts';
import type { SessionOptions } from './options.ts';
import { createParts } from './parts.ts';
import type { WaitUntil } from './ports.ts';
import { RequestJar } from './request-jar.ts';
import type { Session } from './session.ts';
import { resolveOptions } from './settings.ts';
import { WrappedCalls } from './wrapped-calls.ts';

export interface LoadOptions {
  /**
   * Confirms the session with a bridge although it is cached, for what must not be seen after a logout
   * elsewhere. Throws SessionUnavailableError where it cannot be confirmed.
   */
  readonly fresh?: boolean | undefined;
  /** Takes work that is to be finished after the answer; otherwise the manager's. */
  readonly waitUntil?: WaitUntil | undefined;
}

export interface GetSessionOptions extends LoadOptions {
  /** The headers of the answer, to which cookies are appended. Not needed inside `withSession`. */
  readonly headers?: Headers | undefined;
}

type Handler<R extends Request, A extends readonly unknown[]> = (
  request: R,
  ...rest: A
) => Response | Promise<Response>;

export interface SessionManager<T extends object> {
  /**
   * The request's session; a new, empty one for a visitor without one. Called twice for one request, it gives
   * the same object.
   * @throws SessionUnavailableError nobody can know, and this instance holds nothing that may be shown.
   *
   * @example
   * const headers = new Headers();
   * const session = await getSession(request, { headers });
   * session.views = (session.views ?? 0) + 1;
   * await session.save();
   * return Response.json({ views: session.views }, { headers });
   */
  readonly getSession: (request: Request, options?: GetSessionOptions) => Promise<Session<T>>;
  /**
   * Wraps a handler: its session is saved, and the cookies are set, when it has returned. What it throws is
   * passed on, and then nothing is saved. A handler that never asks for the session costs nothing. Of wrapped
   * handlers within each other the outer one saves.
   *
   * @example
   * export default { fetch: withSession(async (request) => {
   *   const session = await getSession(request);
   *   session.views = (session.views ?? 0) + 1;
   *   return Response.json({ views: session.views });
   * }) };
   */
  readonly withSession: <R extends Request, A extends readonly unknown[]>(
    handler: Handler<R, A>,
  ) => (request: R, ...rest: A) => Promise<Response>;
  /**
   * For adapters: the session of whoever the jar's cookies name. Not remembered: an adapter keeps it for as
   * long as its request lasts. The jar is read before anything else happens.
   */
  readonly load: (jar: CookieJar, options?: LoadOptions) => Promise<Session<T>>;
  /**
   * For adapters: confirms a session that {@link load} gave with a bridge, and keeps its unsaved changes.
   * @throws SessionUnavailableError it cannot be confirmed.
   */
  readonly confirm: (session: Session<T>) => Promise<void>;
}

/** One request's session, and where its cookies go. */
interface Visit<T extends object> {
  readonly jar: RequestJar;
  readonly handle: Promise<SessionHandle<T>>;
}

/** What wrapped handlers make of one request. */
interface WrappedAnswer {
  readonly headers: Headers;
  readonly calls: WrappedCalls;
}

/**
 * Sessions with these options.
 * @throws TypeError for an option that is missing or out of range, before anything else happens.
 */
export function createSessionManager<T extends object = Record<string, unknown>>(
  options: SessionOptions<T> = {},
): SessionManager<T> {
  const resolved = resolveOptions(options);
  const opener = new SessionOpener(createParts(resolved));
  const visits = new RequestVisits(opener, resolved.waitUntil);
  const loaded = new WeakMap<Session<T>, SessionHandle<T>>();
  return {
    getSession: (request, given = {}) => visits.getSession(request, given),
    withSession:
      (handler) =>
      (request, ...rest) =>
        visits.run(request, () => handler(request, ...rest)),
    load: async (jar, { fresh = false, waitUntil = resolved.waitUntil } = {}) => {
      const handle = await opener.open(jar, { isFresh: fresh, waitUntil: waitUntil ?? null });
      loaded.set(handle.session, handle);
      return handle.session;
    },
    confirm: async (session) => loaded.get(session)?.confirm(),
  };
}

class RequestVisits<T extends object> {
  readonly #opener: SessionOpener<T>;
  readonly #waitUntil: WaitUntil | null;
  readonly #visits = new WeakMap<Request, Visit<T>>();
  /** The answers of requests that wrapped handlers are, or were, working on. */
  readonly #answers = new WeakMap<Request, WrappedAnswer>();

  constructor(opener: SessionOpener<T>, waitUntil: WaitUntil | null) {
    this.#opener = opener;
    this.#waitUntil = waitUntil;
  }

  async getSession(request: Request, options: GetSessionOptions): Promise<Session<T>> {
    const known = this.#visits.get(request);
    if (known === undefined) return (await this.#visit(request, options).handle).session;
    if (options.headers !== undefined) known.jar.attach(options.headers);
    const handle = await known.handle;
    if (options.fresh === true) await handle.confirm();
    else if (handle.canWriteDueCookies) await handle.writeDueCookies();
    return handle.session;
  }

  /** Runs a handler, saves its session and gives its answer the cookies; of handlers within each other the outer does. */
  async run(request: Request, handle: () => Response | Promise<Response>): Promise<Response> {
    const answer = this.#answers.get(request) ?? { headers: new Headers(), calls: new WrappedCalls() };
    this.#answers.set(request, answer);
    this.#visits.get(request)?.jar.open(answer.headers);
    const isDone = answer.calls.begin();
    try {
      const response = await answer.calls.run(handle);
      if (!isDone()) return response;
      const visit = this.#visits.get(request);
      if (visit !== undefined) await (await visit.handle).session.save();
      return withCookies(response, answer.headers);
    } finally {
      if (isDone()) this.#visits.get(request)?.jar.close();
    }
  }

  #visit(request: Request, options: GetSessionOptions): Visit<T> {
    const { headers = this.#answers.get(request)?.headers ?? null, fresh = false } = options;
    const jar = new RequestJar(request, headers);
    const waitUntil = options.waitUntil ?? this.#waitUntil;
    const handle = Promise.resolve(this.#opener.open(jar, { isFresh: fresh, waitUntil }));
    this.#visits.set(request, { jar, handle });
    // After an outage the same request may try again.
    handle.catch(() => this.#visits.delete(request));
    return { jar, handle };
  }
}

/** The answer with the cookies that its session has set; the same object when there are none. */
function withCookies(response: Response, headers: Headers): Response {
  const cookies = headers.getSetCookie();
  if (cookies.length === 0) return response;
  // Headers of a redirect or of a fetched answer cannot be changed, those of a new answer can.
  const answer = new Response(response.body, response);
  for (const cookie of cookies) answer.headers.append('set-cookie', cookie);
  answer.headers.set('cache-control', headers.get('cache-control') ?? 'private, no-store');
  return answer;
}
