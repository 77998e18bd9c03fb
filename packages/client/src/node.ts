/** The (req, res) adapter: Express, Fastify's raw request and reply, Next.js's Pages router, node:http. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { SessionUnavailableError } from './errors.ts';
import { createSessionManager, type LoadOptions } from './manager.ts';
import { HeldAnswer } from './node-answer.ts';
import { NodeJar } from './node-jar.ts';
import type { SessionOptions } from './options.ts';
import type { Session } from './session.ts';
import { assertFunction } from './shapes.ts';

export type { LoadOptions } from './manager.ts';
export type { SessionOptions } from './options.ts';
export type { Session, SessionMeta } from './session.ts';

export interface NodeSessionOptions<T extends object = Record<string, unknown>> extends SessionOptions<T> {
  /**
   * Is told what the middleware could not save: either the answer has become a plain 503 or 500, or a session
   * began after the answer's head had left (`cookies_sent`). Default `console.error`, which also hears of what this
   * function itself could not tell.
   */
  onError?: ((error: unknown, request: IncomingMessage) => void) | undefined;
}

/** A request behind the middleware. */
export type SessionRequest<T extends object> = IncomingMessage & { session: Session<T> };

/** Express's form, which `node:http` and others can call too. */
export type SessionMiddleware = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;

export interface NodeSessions<T extends object> {
  /**
   * The request's session; a new, empty one for a visitor without one. Called twice for one request, or behind
   * the middleware, it gives the same object. What is changed is stored by `save()`, whose cookies leave with
   * the answer's head: save before you begin to answer.
   * @throws SessionUnavailableError nobody can know, and this instance holds nothing that may be shown.
   *
   * @example
   * createServer(async (request, response) => {
   *   const session = await getSession(request, response);
   *   session.views = (session.views ?? 0) + 1;
   *   await session.save();
   *   response.end(`visit ${session.views}`);
   * });
   */
  readonly getSession: (
    request: IncomingMessage,
    response: ServerResponse,
    options?: LoadOptions,
  ) => Promise<Session<T>>;
  /**
   * A middleware that puts the session at `request.session` and saves it when the answer begins: the first byte
   * waits until the change is stored. What cannot be stored becomes an answer 503 or 500, which `onError` is
   * told. Where nobody can know the session, `next` gets a SessionUnavailableError with status 503.
   *
   * What a handler changes after the head has left is stored before the answer ends, when the browser has the
   * session already. A new session cannot be: `onError` gets `cookies_sent`.
   *
   * @example
   * app.use(sessions());
   * app.post('/login', async (request, response) => {
   *   request.session.userId = '42';
   *   await request.session.regenerate();
   *   response.redirect('/');
   * });
   */
  readonly sessions: () => SessionMiddleware;
}

/**
 * Sessions for (req, res) handlers.
 * @throws TypeError for an option that is missing or out of range, before anything else happens.
 */
export function createNodeSessions<T extends object = Record<string, unknown>>(
  options: NodeSessionOptions<T> = {},
): NodeSessions<T> {
  const { onError = reportError, ...rest } = options;
  assertFunction('onError', onError);
  const manager = createSessionManager<T>(rest);
  const visits = new WeakMap<IncomingMessage, Promise<Session<T>>>();

  const getSession = async (
    request: IncomingMessage,
    response: ServerResponse,
    given: LoadOptions = {},
  ): Promise<Session<T>> => {
    const known = visits.get(request);
    if (known !== undefined) {
      if (given.fresh === true) await manager.confirm(await known);
      return known;
    }
    const session = manager.load(new NodeJar(request, response), given);
    visits.set(request, session);
    // After an outage the same request may try again.
    session.catch(() => visits.delete(request));
    return session;
  };

  const held = new WeakSet<ServerResponse>();
  const begin = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const session = await getSession(request, response);
    Object.assign(request, { session });
    if (held.has(response)) return;
    held.add(response);
    holdUntilSaved(response, session, (error) => void tell(onError, error, request));
  };
  const handle = async (...[request, response, next]: Parameters<SessionMiddleware>): Promise<void> => {
    try {
      await begin(request, response);
    } catch (error) {
      return next(withStatus(error));
    }
    next();
  };
  // Without the promise: Fastify would take a hook that returns one for done twice.
  return { getSession, sessions: () => (request, response, next) => void handle(request, response, next) };
}

function holdUntilSaved<T extends object>(
  response: ServerResponse,
  session: Session<T>,
  onError: (error: unknown) => void,
): void {
  void new HeldAnswer(response, {
    isIdle: () => session.meta.isNew && Object.keys(session).length === 0,
    save: () => session.save(),
    onError,
  });
}

/** Express answers with an error's status; a 401 of the bridge is no 401 for the visitor. */
function withStatus(error: unknown): unknown {
  if (!(error instanceof SessionUnavailableError) || error.status === 503) return error;
  return new SessionUnavailableError(error.code, undefined, { status: 503, cause: error });
}

/** A defect in somebody's error report must not end the process: nobody could catch what it throws, or rejects. */
async function tell(
  onError: NonNullable<NodeSessionOptions['onError']>,
  error: unknown,
  request: IncomingMessage,
): Promise<void> {
  try {
    // A function that gives a promise fits where nothing is awaited.
    const result: unknown = onError(error, request);
    await result;
  } catch (cause) {
    reportError(error);
    reportError(cause);
  }
}

function reportError(error: unknown): void {
  console.error('memsession: the session could not be saved as it should.', error);
}
