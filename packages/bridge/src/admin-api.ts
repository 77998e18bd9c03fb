/** The operator's API: what the bridge knows, and changes of the node list. */
import { APP_NAME, parseRef } from '@memsession/client/protocol';
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { Bodies } from './body.ts';
import type { Desk } from './desk.ts';
import { parseJson, respondJson } from './http.ts';
import type { Changed, ChangeCode, NodeChange, Roster } from './roster.ts';

export interface AdminApiOptions {
  readonly desk: Desk;
  readonly roster: Roster;
}

/** Error codes of this API, with the status each is answered with. */
export const ADMIN_ERRORS: Readonly<
  Record<ChangeCode | 'unauthorized' | 'forbidden' | 'invalid_request' | 'no_route', number>
> = {
  unauthorized: 401,
  forbidden: 403,
  invalid_request: 400,
  no_route: 404,
  no_such_node: 404,
  source_is_file: 409,
  not_drained: 409,
  refused: 409,
  address_not_allowed: 403,
};

const DEFAULT_APP = 'default';
const MOST_BODY_BYTES = 262_144;
/** Held at once. */
const MOST_BODIES = 8;

const line = z.string().max(300);
const replacement = z.strictObject({ nodes: z.array(line).min(1).max(10_000) });
const addition = z.strictObject({ address: line });
const removal = z.strictObject({ force: z.boolean().optional() });

/** The API without its front door: whoever mounts it checks who asks. */
// oxlint-disable-next-line max-lines-per-function -- all routes are meant to be read on one screen
export function createAdminApi({ desk, roster }: AdminApiOptions): Hono {
  const api = new Hono();
  const bodies = new Bodies(MOST_BODY_BYTES * MOST_BODIES);

  api.get('/overview', async () =>
    respondJson({
      ...(await desk.refresh()),
      nodeList: describeList(roster),
      incidents: desk.incidents,
      lastSample: desk.samples.at(-1) ?? null,
    }),
  );
  api.get('/nodes', async () =>
    respondJson({ ...describeList(roster), nodes: (await desk.refresh()).nodes }),
  );
  api.put('/nodes', async (c) => {
    const body = await readJson(c, bodies, replacement);
    return body === null
      ? refuse('invalid_request', ['Send { "nodes": ["host:port", "host:port drain", "removed", …] }.'])
      : change({ kind: 'replace', lines: body.nodes });
  });
  api.post('/nodes', async (c) => {
    const body = await readJson(c, bodies, addition);
    return body === null
      ? refuse('invalid_request', ['Send { "address": "host:port" }.'])
      : change({ kind: 'append', address: body.address });
  });
  api.post('/nodes/:index{[0-9]{1,4}}/drain', (c) => change({ kind: 'drain', index: indexOf(c) }));
  api.post('/nodes/:index{[0-9]{1,4}}/activate', (c) => change({ kind: 'activate', index: indexOf(c) }));
  api.post('/nodes/:index{[0-9]{1,4}}/remove', async (c) => {
    const body = (await readJson(c, bodies, removal)) ?? {};
    return change({ kind: 'remove', index: indexOf(c), isForced: body.force === true });
  });
  api.get('/route', async (c) => {
    const { ref = '', app = DEFAULT_APP } = c.req.query();
    if (parseRef(ref) === null) return refuse('invalid_request', ['ref: must be a session ref.']);
    if (!APP_NAME.test(app)) return refuse('invalid_request', ['app: must be an app name.']);
    return respondJson(await desk.explain({ ref, app }));
  });
  return api;

  async function change(wanted: NodeChange): Promise<Response> {
    const changed = await roster.change(wanted);
    return changed.ok
      ? respondJson({ ...describeList(roster), toKeep: changed.toKeep })
      : refuse(changed.code, changed.problems, changed);
  }
}

/** An error of this API; `code` is for machines. */
export function refuse(
  code: keyof typeof ADMIN_ERRORS,
  problems: readonly string[],
  { lines }: Partial<Extract<Changed, { ok: false }>> = {},
): Response {
  const error = { code, message: problems.join(' ') };
  return respondJson({ error, ...(lines === undefined ? {} : { shouldRead: lines }) }, ADMIN_ERRORS[code]);
}

function describeList({ source, lines }: Roster): Record<string, unknown> {
  return { source, lines, isChangeable: source.kind !== 'file' };
}

function indexOf(c: Context): number {
  return Number(c.req.param('index'));
}

/** What the body holds; null when it is not that, or not all of it may be read. */
async function readJson<T>(c: Context, bodies: Bodies, schema: z.ZodType<T>): Promise<T | null> {
  const parsed = await bodies.read(c.req.raw, MOST_BODY_BYTES, (body) =>
    schema.safeParseAsync(parseJson(body.toString('utf8'))),
  );
  return typeof parsed !== 'string' && parsed.success ? parsed.data : null;
}
