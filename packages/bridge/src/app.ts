/** The data API on one screen. */
import { type BatchResult, formatEtag, HEADERS, LIMITS, parseEtag, PATHS } from '@memsession/client/protocol';
import { type Context, Hono } from 'hono';
import type { Logger } from 'pino';
import { type Answered, answer, failure, RETRY_AFTER_SECONDS, toBatchResult } from './answer.ts';
import type { Authenticator } from './auth.ts';
import { readBody } from './body.ts';
import type { Cluster } from './cluster.ts';
import { parseOperation } from './operation.ts';
import type { SessionStore } from './store.ts';

export interface AppOptions {
  readonly store: SessionStore;
  readonly cluster: Cluster;
  readonly authenticator: Pick<Authenticator, 'authenticate'>;
  readonly maxRecordBytes: number;
  /** Why the bridge must not get traffic now, or null. */
  readonly whyNotReady: () => string | null;
  /** What an operator should know although the bridge works. */
  readonly warnings: () => readonly string[];
  readonly log: Logger;
}

type Env = { Variables: { app: string } };

/** The HTTP interface for clients. */
// oxlint-disable-next-line max-lines-per-function -- all routes are meant to be read on one screen
export function createApp(options: AppOptions): Hono<Env> {
  const { store, cluster, authenticator, maxRecordBytes, log } = options;
  const app = new Hono<Env>();

  app.get(PATHS.health, (c) => c.json({ status: 'ok' }));
  app.get(PATHS.ready, (c) => {
    const reason = options.whyNotReady();
    return reason === null
      ? c.json({ status: 'ready', warnings: options.warnings() })
      : c.json({ status: 'not ready', reason }, 503);
  });

  app.use('/v1/*', async (c, next) => {
    const who = await authenticator.authenticate(c.req.header('authorization'));
    if (!who.ok) return respond(failure(who.code, who.message));
    c.set('app', who.app);
    return next();
  });

  const session = `${PATHS.sessions}/:ref`;
  app.get(session, (c) =>
    run(c, {
      method: 'GET',
      ifNoneMatch: etag(c, 'if-none-match'),
      minVersion: number(c, HEADERS.minVersion),
      ttl: number(c, HEADERS.ttl),
    }),
  );
  app.put(session, async (c) => {
    const record = await readBody(c.req.raw, maxRecordBytes);
    if (record === null)
      return respond(failure('record_too_large', `record: must have at most ${maxRecordBytes} bytes.`));
    const precondition = { ifMatch: etag(c, 'if-match'), ifNoneMatch: c.req.header('if-none-match') };
    return run(c, {
      method: 'PUT',
      version: number(c, HEADERS.version),
      ...precondition,
      ttl: number(c, HEADERS.ttl),
      record,
    });
  });
  app.post(`${session}/touch`, (c) => run(c, { method: 'TOUCH', ttl: number(c, HEADERS.ttl) }));
  app.delete(session, (c) => run(c, { method: 'DELETE', ttl: number(c, HEADERS.ttl) }));
  app.post(PATHS.batch, (c) => runBatch(c));
  app.get(PATHS.nodes, (c) => c.json({ epoch: cluster.epoch, nodes: cluster.status().map(describeNode) }));

  app.notFound(() => respond(failure('no_route')));
  app.onError((error) => {
    log.error({ err: error }, 'a request failed on a defect');
    return respond(failure('internal'));
  });
  return app;

  async function run(c: Context<Env>, fields: Record<string, unknown>): Promise<Response> {
    const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
    const parsed = parseOperation({ ...given, ref: c.req.param('ref') }, maxRecordBytes);
    if (parsed.ok) return respond(await answer(store, c.get('app'), parsed.operation));
    return respond(refuse({ ...parsed, field: HEADER_OF_FIELD[parsed.field] ?? parsed.field }));
  }

  async function runBatch(c: Context<Env>): Promise<Response> {
    const body = await readBody(c.req.raw, LIMITS.batchBytes);
    if (body === null)
      return respond(failure('record_too_large', `A batch has at most ${LIMITS.batchBytes} bytes.`));
    const operations = parseBatch(body);
    if (operations === null) {
      return respond(
        failure(
          'invalid_request',
          `operations: must be a list of 1 to ${LIMITS.batchOperations} operations.`,
        ),
      );
    }
    const results = await Promise.all(operations.map((raw) => runOne(c.get('app'), raw)));
    return respondJson({ results }, 200);
  }

  async function runOne(name: string, raw: unknown): Promise<BatchResult> {
    const parsed = parseOperation(raw, maxRecordBytes);
    if (!parsed.ok) return toBatchResult(refuse(parsed));
    try {
      return toBatchResult(await answer(store, name, parsed.operation));
    } catch (error) {
      log.error({ err: error }, 'an operation of a batch failed on a defect');
      return toBatchResult(failure('internal'));
    }
  }
}

/** Where a field of an operation stands in a request, for messages. */
const HEADER_OF_FIELD: Readonly<Record<string, string>> = {
  ref: 'ref in the path',
  version: HEADERS.version,
  minVersion: HEADERS.minVersion,
  ttl: HEADERS.ttl,
  ifMatch: 'If-Match',
  ifNoneMatch: 'If-None-Match',
  record: 'body',
};

function refuse({
  field,
  problem,
  isTooLarge,
}: {
  field: string;
  problem: string;
  isTooLarge: boolean;
}): Answered {
  return failure(isTooLarge ? 'record_too_large' : 'invalid_request', `${field}: ${problem}.`);
}

/** A header as a number where it is one; otherwise as it is, for the schema to refuse. */
function number(c: Context, name: string): number | string | undefined {
  const text = c.req.header(name);
  return text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : text;
}

function etag(c: Context, name: string): number | string | undefined {
  const text = c.req.header(name);
  return text === undefined ? undefined : (parseEtag(text) ?? text);
}

function parseBatch(body: Buffer): unknown[] | null {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('operations' in parsed)) return null;
    const { operations } = parsed;
    if (!Array.isArray(operations) || operations.length === 0 || operations.length > LIMITS.batchOperations)
      return null;
    return operations;
  } catch {
    // Not JSON.
    return null;
  }
}

function describeNode(node: ReturnType<Cluster['status']>[number]): Record<string, unknown> {
  return { index: node.index, state: node.state, draining: node.isDraining, reason: node.reason };
}

function respond({ status, ref, version, copies, record, error }: Answered): Response {
  const headers = new Headers({ 'Cache-Control': 'no-store' });
  if (version !== undefined) headers.set('ETag', formatEtag(version));
  if (ref !== undefined) headers.set(HEADERS.ref, ref);
  if (copies !== undefined) headers.set(HEADERS.copies, String(copies));
  if (status === 503 || status === 429 || status === 507)
    headers.set('Retry-After', String(RETRY_AFTER_SECONDS));
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer');
  if (record !== undefined) {
    headers.set('Content-Type', 'application/octet-stream');
    return new Response(new Uint8Array(record), { status, headers });
  }
  return error === undefined
    ? new Response(null, { status, headers })
    : respondJson({ error }, status, headers);
}

function respondJson(
  body: unknown,
  status: number,
  headers: Headers = new Headers({ 'Cache-Control': 'no-store' }),
): Response {
  headers.set('Content-Type', 'application/json');
  return new Response(JSON.stringify(body), { status, headers });
}
