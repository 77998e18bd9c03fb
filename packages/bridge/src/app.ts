/** The data API on one screen. */
import { type BatchResult, HEADERS, LIMITS, PATHS } from '@memsession/client/protocol';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import { type Answered, answer, failure, toBatchResult } from './answer.ts';
import type { AppRules } from './apps-file.ts';
import type { Authenticator } from './auth.ts';
import { Bodies } from './body.ts';
import type { Cluster } from './cluster.ts';
import type { Gate, Refused } from './gate.ts';
import {
  type Fields,
  parseBatch,
  readEtag,
  readNumber,
  refuse,
  refuseBody,
  respond,
  respondJson,
} from './http.ts';
import type { Metrics } from './metrics.ts';
import { type Operation, parseOperation } from './operation.ts';
import type { RecordCheck } from './record-check.ts';
import type { WatchedEnv } from './request-watch.ts';
import type { SessionStore } from './store.ts';

export interface AppOptions {
  readonly store: SessionStore;
  readonly cluster: Cluster;
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly maxRecordBytes: number;
  /** Why the bridge must not get traffic now, or null. */
  readonly whyNotReady: () => string | null;
  /** What an operator should look after although the bridge works; anybody may read it. */
  readonly warnings: () => readonly string[];
  readonly log: Logger;
  /** Bounds the work; without one there is no bound. */
  readonly gate?: Gate;
  /** Bounds the memory of request bodies; without one there is no bound. */
  readonly bodies?: Bodies;
  /** Without one all records are stored. */
  readonly recordCheck?: RecordCheck;
  readonly metrics?: Metrics;
  /** Sees every request first. */
  readonly watch?: MiddlewareHandler<WatchedEnv>;
  /** What `/openapi.json` answers. */
  readonly openapi?: object;
}

type Env = WatchedEnv & { Variables: { who: Who } };

interface Who {
  readonly app: string;
  readonly rules?: AppRules | undefined;
}

/** The HTTP interface for clients. */
// oxlint-disable-next-line max-lines-per-function -- all routes are meant to be read on one screen
export function createApp(options: AppOptions): Hono<Env> {
  const { cluster, authenticator, maxRecordBytes, log, metrics } = options;
  const bodies = options.bodies ?? new Bodies(Number.POSITIVE_INFINITY);
  const app = new Hono<Env>();
  if (options.watch !== undefined) app.use(options.watch);

  app.get(PATHS.health, (c) => respondJson({ status: 'ok' }, 200, fieldsOf(c)));
  app.get(PATHS.ready, (c) => {
    const reason = options.whyNotReady();
    return reason === null
      ? respondJson({ status: 'ready', warnings: options.warnings() }, 200, fieldsOf(c))
      : respondJson({ status: 'not ready', reason }, 503, fieldsOf(c));
  });
  app.get('/openapi.json', (c) => respondJson(options.openapi ?? {}, 200, fieldsOf(c)));

  app.use('/v1/*', async (c, next) => {
    const who = await authenticator.authenticate(c.req.header('authorization'));
    if (!who.ok) {
      metrics?.tokenRejected(who.code);
      return send(c, failure(who.code, who.message));
    }
    c.set('who', { app: who.app, rules: who.rules });
    await next();
    return undefined;
  });

  const session = `${PATHS.sessions}/:ref`;
  app.get(session, (c) =>
    runOne(c, {
      method: 'GET',
      ifNoneMatch: readEtag((name) => c.req.header(name), 'if-none-match'),
      minVersion: number(c, HEADERS.minVersion),
      ttl: number(c, HEADERS.ttl),
    }),
  );
  app.put(session, async (c) => {
    const response = await bodies.read(c.req.raw, maxRecordBytes, (record) =>
      runOne(c, {
        method: 'PUT',
        version: number(c, HEADERS.version),
        ifMatch: readEtag((name) => c.req.header(name), 'if-match'),
        ifNoneMatch: c.req.header('if-none-match'),
        ttl: number(c, HEADERS.ttl),
        record,
      }),
    );
    return typeof response === 'string' ? send(c, refuseBody(response, 'record', maxRecordBytes)) : response;
  });
  app.post(`${session}/touch`, (c) => runOne(c, { method: 'TOUCH', ttl: number(c, HEADERS.ttl) }));
  app.delete(session, (c) => runOne(c, { method: 'DELETE', ttl: number(c, HEADERS.ttl) }));
  app.post(PATHS.batch, async (c) => {
    const response = await bodies.read(c.req.raw, LIMITS.batchBytes, (body) => runBatch(c, body));
    return typeof response === 'string'
      ? send(c, refuseBody(response, 'batch', LIMITS.batchBytes))
      : response;
  });
  app.get(PATHS.nodes, (c) =>
    respondJson({ epoch: cluster.epoch, nodes: cluster.status().map(describeNode) }, 200, fieldsOf(c)),
  );

  app.notFound((c) => send(c, failure('no_route')));
  app.onError((error, c) => {
    log.error({ err: error, ...c.get('watched') }, 'a request failed on a defect');
    return send(c, failure('internal'));
  });
  return app;

  async function runOne(c: Context<Env>, fields: Record<string, unknown>): Promise<Response> {
    const parsed = parseOperation({ ref: c.req.param('ref'), ...fields }, maxRecordBytes);
    if (!parsed.ok) return send(c, refuse(parsed, 'headers'));
    const { operation } = parsed;
    const answered = await admit(c, 1, () => perform(c.get('who'), operation));
    return send(c, typeof answered === 'string' ? shed(answered) : answered);
  }

  async function runBatch(c: Context<Env>, body: Buffer): Promise<Response> {
    const operations = parseBatch(body);
    if ('problem' in operations) return send(c, refuse(operations, 'batch'));
    const results = await admit(c, operations.length, () =>
      Promise.all(operations.map((raw) => runEntry(c, raw))),
    );
    return typeof results === 'string' ? send(c, shed(results)) : respondJson({ results }, 200, fieldsOf(c));
  }

  async function runEntry(c: Context<Env>, raw: unknown): Promise<BatchResult> {
    const parsed = parseOperation(raw, maxRecordBytes);
    if (!parsed.ok) return toBatchResult(refuse(parsed, 'batch'));
    try {
      return toBatchResult(await perform(c.get('who'), parsed.operation));
    } catch (error) {
      log.error({ err: error, ...c.get('watched') }, 'an operation of a batch failed on a defect');
      return toBatchResult(failure('internal'));
    }
  }

  /** Does the work when there is a place for it; otherwise says why there is none. */
  function admit<T>(c: Context<Env>, operations: number, work: () => Promise<T>): Promise<T | Refused> {
    if (options.gate === undefined) return work();
    const { app: name, rules } = c.get('who');
    return options.gate.run({ app: name, operations, limit: rules?.maxInFlight }, work);
  }

  function shed(reason: Refused): Answered {
    metrics?.shed(reason);
    return failure(reason);
  }

  async function perform({ app: name }: Who, operation: Operation): Promise<Answered> {
    const { method, ref } = operation;
    const isRefused =
      method === 'PUT' &&
      options.recordCheck !== undefined &&
      !(await options.recordCheck.isGenuine({ app: name, id: ref.id, ...operation }));
    const answered = isRefused
      ? failure('invalid_request', 'record: is not signed with a key of its app.')
      : await answer(options.store, name, operation);
    metrics?.operationEnded(method, answered.status);
    return answered;
  }
}

function send(c: Context<Env>, answered: Answered): Response {
  return respond(answered, fieldsOf(c));
}

/** None where nobody watches. */
function fieldsOf(c: Context<Env>): Fields | undefined {
  const fields: WatchedEnv['Variables']['fields'] | undefined = c.get('fields');
  return fields?.();
}

function number(c: Context, name: string): number | string | undefined {
  return readNumber((header) => c.req.header(header), name);
}

function describeNode(node: ReturnType<Cluster['status']>[number]): Record<string, unknown> {
  return { index: node.index, state: node.state, draining: node.isDraining, reason: node.reason };
}

const ROUTES: Readonly<Record<string, string>> = {
  [PATHS.batch]: 'batch',
  [PATHS.nodes]: 'nodes',
  [PATHS.health]: 'health',
  [PATHS.ready]: 'ready',
  '/openapi.json': 'openapi',
};

/** The name of a path's route, for metrics. */
export function routeOf(path: string): string {
  if (path.startsWith(`${PATHS.sessions}/`)) return path.endsWith('/touch') ? 'touch' : 'session';
  return Object.hasOwn(ROUTES, path) ? (ROUTES[path] ?? 'other') : 'other';
}
