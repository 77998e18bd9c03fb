/** A worker whose requests meet in one isolate: the manager lives longer than any of them. */
import { createSessionManager, type SessionManager } from '@memsession/client';

interface Env {
  readonly BRIDGE_URL: string;
  readonly BRIDGE_SECRET: string;
}

interface Data {
  views?: number;
  [field: string]: unknown;
}

interface Wanted {
  readonly maxStale: number;
  readonly backup: 'await' | 'after';
}

/** What a worker gets besides the request. */
interface Context {
  waitUntil(work: Promise<unknown>): void;
}

const managers = new Map<string, SessionManager<Data>>();

/** One for each way of believing what is cached, and of saving. */
function managerFor({ maxStale, backup }: Wanted, env: Env): SessionManager<Data> {
  const name = `${maxStale} ${backup}`;
  let manager = managers.get(name);
  if (manager === undefined) {
    manager = createSessionManager<Data>({
      secret: 'a session secret for the runtimes of at least 32 bytes',
      bridgeUrl: env.BRIDGE_URL,
      bridgeSecret: env.BRIDGE_SECRET,
      maxStale,
      backup,
      maxInFlight: 4,
      timeoutMs: 30_000,
      holder: {},
    });
    managers.set(name, manager);
  }
  return manager;
}

const worker = {
  fetch: async (request: Request, env: Env, context: Context): Promise<Response> => {
    const { searchParams } = new URL(request.url);
    const { getSession, withSession } = managerFor(
      {
        maxStale: Number(searchParams.get('maxStale')),
        backup: searchParams.get('backup') === 'after' ? 'after' : 'await',
      },
      env,
    );
    const handle = withSession(async () => {
      const session = await getSession(request, { waitUntil: (work) => context.waitUntil(work) });
      const field = searchParams.get('set');
      if (field !== null) session[field] = true;
      return Response.json(session);
    });
    try {
      return await handle(request);
    } catch (error) {
      return Response.json(error instanceof Error ? error.message : null, { status: 500 });
    }
  },
};

// Workers are default exports.
// oxlint-disable-next-line import/no-default-export
export default worker;
