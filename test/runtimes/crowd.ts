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

const managers = new Map<string, SessionManager<Data>>();

/** One for each way of believing what is cached. */
function managerFor(maxStale: number, env: Env): SessionManager<Data> {
  const name = String(maxStale);
  let manager = managers.get(name);
  if (manager === undefined) {
    manager = createSessionManager<Data>({
      secret: 'a session secret for the runtimes of at least 32 bytes',
      bridgeUrl: env.BRIDGE_URL,
      bridgeSecret: env.BRIDGE_SECRET,
      maxStale,
      maxInFlight: 4,
      timeoutMs: 30_000,
      holder: {},
    });
    managers.set(name, manager);
  }
  return manager;
}

const worker = {
  fetch: async (request: Request, env: Env): Promise<Response> => {
    const { searchParams } = new URL(request.url);
    const { getSession, withSession } = managerFor(Number(searchParams.get('maxStale')), env);
    const handle = withSession(async () => {
      const session = await getSession(request);
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
