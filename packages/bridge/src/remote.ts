/** Asks a running bridge through its operator's listener, and says the answer in words or as JSON. */
import { z } from 'zod';
import type { RemoteCommand } from './command-line.ts';

export interface RemoteOptions {
  readonly adminUrl: string;
  readonly token: string;
  readonly isJson: boolean;
  readonly fetch: typeof fetch;
}

/** What the command prints, and how it ends. */
export interface Printed {
  readonly text: string;
  readonly exitCode: 0 | 1;
}

const TIMEOUT_MS = 10_000;

const node = z.object({
  index: z.number(),
  address: z.string(),
  state: z.string(),
  isDraining: z.boolean(),
  since: z.number(),
  reason: z.string(),
  servedLastMinute: z.number(),
  facts: z
    .object({ usedBytes: z.number(), limitBytes: z.number(), items: z.number(), evictions: z.number() })
    .nullable(),
});
const nodesAnswer = z.object({ nodes: z.array(node) });
const changeAnswer = z.object({ lines: z.array(z.string()), toKeep: z.string() });
const routeAnswer = z.object({
  steps: z.array(
    z.object({
      index: z.number(),
      address: z.string(),
      state: z.string(),
      role: z.string(),
      answer: z.object({
        kind: z.string(),
        version: z.number().optional(),
        isTrusted: z.boolean().optional(),
      }),
    }),
  ),
  because: z.array(z.string()),
});
const errorAnswer = z.object({
  error: z.object({ code: z.string(), message: z.string() }),
  shouldRead: z.array(z.string()).optional(),
});

/** Runs the command. Never throws. */
export async function runRemote(command: RemoteCommand, options: RemoteOptions): Promise<Printed> {
  const { method, path, body } = requestOf(command);
  let response: Response;
  try {
    response = await options.fetch(new URL(path, options.adminUrl), {
      method,
      headers: { authorization: `Bearer ${options.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    const fix = 'Does it run with an ADMIN_TOKEN, and is --admin-url right?';
    return { text: `No bridge answers at ${options.adminUrl}. ${fix}`, exitCode: 1 };
  }
  const answer: unknown = await response.json().catch(() => null);
  const exitCode = response.ok ? 0 : 1;
  if (options.isJson) return { text: JSON.stringify(answer, null, 2), exitCode };
  return { text: response.ok ? tell(command, answer) : tellError(answer, response.status), exitCode };
}

function requestOf(command: RemoteCommand): { method: string; path: string; body?: string } {
  switch (command.kind) {
    case 'nodes':
      return { method: 'GET', path: '/admin/nodes' };
    case 'inspect': {
      const query = new URLSearchParams({ ref: command.ref, app: command.app });
      return { method: 'GET', path: `/admin/route?${query.toString()}` };
    }
    case 'remove': {
      const body = JSON.stringify({ force: command.isForced });
      return { method: 'POST', path: `/admin/nodes/${command.index}/remove`, body };
    }
    case 'drain':
    case 'activate':
      return { method: 'POST', path: `/admin/nodes/${command.index}/${command.kind}` };
  }
}

function tell(command: RemoteCommand, answer: unknown): string {
  if (command.kind === 'nodes') return tellNodes(nodesAnswer.parse(answer).nodes);
  if (command.kind === 'inspect') return tellRoute(routeAnswer.parse(answer));
  const { lines, toKeep } = changeAnswer.parse(answer);
  return [...lines.map((line, index) => `${String(index).padStart(4)}  ${line}`), '', toKeep].join('\n');
}

function tellNodes(nodes: readonly z.infer<typeof node>[]): string {
  const rows = nodes.map(({ index, address, state, isDraining, facts, servedLastMinute, reason }) => [
    String(index),
    address,
    isDraining ? `${state}, draining` : state,
    facts === null ? '–' : `${Math.round((facts.usedBytes / Math.max(1, facts.limitBytes)) * 100)} %`,
    facts === null ? '–' : String(facts.items),
    facts === null ? '–' : String(facts.evictions),
    String(servedLastMinute),
    reason,
  ]);
  return formatTable([
    ['NODE', 'ADDRESS', 'STATE', 'MEMORY', 'ITEMS', 'EVICTIONS', 'ANSWERS/MIN', 'WHY'],
    ...rows,
  ]);
}

function tellRoute({ steps, because }: z.infer<typeof routeAnswer>): string {
  const rows = steps.map(({ index, address, state, role, answer }) => {
    const version = answer.version === undefined ? '' : `, version ${answer.version}`;
    const doubt = answer.isTrusted === false ? ', to be confirmed' : '';
    return [String(index), address, state, role, `${answer.kind}${version}${doubt}`];
  });
  return [formatTable([['NODE', 'ADDRESS', 'STATE', 'ROLE', 'ANSWER'], ...rows]), '', ...because].join('\n');
}

function tellError(answer: unknown, status: number): string {
  const parsed = errorAnswer.safeParse(answer);
  if (!parsed.success)
    return `The bridge answered with status ${status}. Is --admin-url its operator listener?`;
  const { error, shouldRead } = parsed.data;
  if (error.code === 'unauthorized') return 'ADMIN_TOKEN: is not the one that the bridge was started with';
  if (error.code === 'no_route') return 'There is no such path. Is --admin-url its operator listener?';
  if (shouldRead === undefined) return error.message;
  return [error.message, 'It should read:', ...shouldRead.map((line) => `  ${line}`)].join('\n');
}

/** Columns as wide as their widest cell. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
