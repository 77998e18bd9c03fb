/** withSession(): the session is saved when the handler or action is done, also when it redirects. */
import type { SessionManager } from './manager.ts';
import { isRedirect, type CookieStore, type NextPlatform } from './next-platform.ts';
import type { Visits } from './next-visits.ts';

export interface WrapOptions<T extends object> {
  readonly visits: Visits<T>;
  readonly manager: () => SessionManager<T>;
  readonly platform: NextPlatform;
}

type Handler<A extends readonly unknown[], R> = (...args: A) => R | Promise<R>;

/** The handler, which saves its session when it is done. */
export function wrapHandler<T extends object, A extends readonly unknown[], R>(
  handler: Handler<A, R>,
  options: WrapOptions<T>,
): (...args: A) => Promise<R> {
  const { visits, manager } = options;
  // An async function: Next.js takes nothing else for a server action.
  return async (...args) => {
    const [first, second] = args;
    assertNotPagesHandler(second);
    const request = isRequest(first) ? first : null;
    const store = await visits.findStore(request);
    if (store !== null) return runWithStore(store, () => handler(...args), options);
    // Whoever handles a request, which there is wherever there is no store, answers with a Response.
    const wrapped = manager().withSession(async () => (await handler(...args)) as Response);
    return (await wrapped(request as Request)) as R;
  };
}

async function runWithStore<T extends object, R>(
  store: CookieStore,
  run: () => R | Promise<R>,
  { visits, platform }: WrapOptions<T>,
): Promise<R> {
  const entered = await visits.enter(store);
  if (entered.jar.isReadOnly) return run();
  const isDone = entered.calls.begin();
  entered.jar.open();
  try {
    const result = await commitAfter(
      () => entered.calls.run(run),
      async () => (isDone() ? entered.visit.commit() : undefined),
    );
    // What an action gives is no answer: whoever has called it as a function may go on.
    if (!(result instanceof Response)) return result;
    if (isDone()) entered.jar.close();
    // The same answer, with one header more.
    return entered.jar.hasWritten ? (withoutCaching(result) as R) : result;
  } catch (error) {
    if (isDone() && isRedirect(error)) entered.jar.close();
    throw error;
  } finally {
    // Only now: armed earlier, it fires when the client hangs up, and makes setting cookies fail.
    const background = isDone() ? entered.background.splice(0) : [];
    if (background.length > 0) platform.after?.(() => Promise.allSettled(background));
  }
}

/** What the handler throws is passed on, and nothing is saved then; but a redirect is no failure. */
async function commitAfter<R>(run: () => R | Promise<R>, commit: () => Promise<void>): Promise<R> {
  let result: R;
  try {
    result = await run();
  } catch (error) {
    if (isRedirect(error)) await commit();
    throw error;
  }
  await commit();
  return result;
}

/** No cache may keep an answer that sets somebody's cookies (RFC 9111, section 5.2.2). */
function withoutCaching(response: Response): Response {
  // Headers of a redirect or of a fetched answer cannot be changed, those of a new answer can.
  const answer = new Response(response.body, response);
  answer.headers.set('cache-control', 'private, no-store');
  return answer;
}

/** Next.js hands over requests behind proxies: they are known by what they have, not by their class. */
export function isRequest(value: unknown): value is Request {
  if (typeof value !== 'object' || value === null || !('headers' in value)) return false;
  const { headers } = value;
  return (
    typeof headers === 'object' && headers !== null && 'get' in headers && typeof headers.get === 'function'
  );
}

function assertNotPagesHandler(answer: unknown): void {
  if (typeof answer !== 'object' || answer === null || !('setHeader' in answer)) return;
  throw new TypeError(
    'withSession() wraps route handlers and server actions. In the Pages Router, call session.save() before you answer.',
  );
}
