/** An app instance as a process of its own: each request is one visit, answered with what the visit saw. */
import { createServer, type IncomingMessage } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createSessionManager, type SessionManager } from '../../packages/client/src/index.ts';
import { type MarkedData, type Task, visit, type VisitReport } from '../history/visit.ts';
import type { InstanceSettings } from './app-process.ts';

/** What the driver posts. */
export interface VisitRequest {
  readonly cookie: string;
  readonly task: Task;
  /** What a save adds to its session, beside its mark; the next one takes it away. */
  readonly bulkBytes: number;
}

/** What it gets back. */
export interface VisitAnswer {
  readonly report: VisitReport;
  /** How often what was reported since the last answer. */
  readonly events: Readonly<Record<string, number>>;
}

/** Beyond this the parent is told how long this process stood still, milliseconds. */
const TOLD_LAG_MS = 100;

let events: Record<string, number> = {};
let manager = createManager(readSettings(process.argv[2] ?? '{}'));
const server = createServer((request, response) => {
  void answer(request).then(
    (body) => response.setHeader('content-type', 'application/json').end(body),
    (error: unknown) => {
      // The browser has gone away in the middle of its request.
      if (!request.complete) return;
      throw error;
    },
  );
});
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.send?.({ defect: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
}
// The driver has ended, however it did.
process.once('disconnect', () => process.exit());
// A driver that reuses a connection must not meet its end.
server.keepAliveTimeout = 120_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  process.send?.({ port: address.port });
});
watchLag();

async function answer(request: IncomingMessage): Promise<string> {
  const text = await read(request);
  if (request.url === '/settings') {
    manager = createManager(readSettings(text));
    return '{}';
  }
  // Only the driver posts here.
  const { cookie, task, bulkBytes } = JSON.parse(text) as VisitRequest;
  const headers = cookie === '' ? {} : { cookie };
  const report = await visit(
    withBulk(manager, task, bulkBytes),
    new Request('https://app.example/', { headers }),
    task,
  );
  const answer: VisitAnswer = { report, events };
  events = {};
  return JSON.stringify(answer);
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  // Without an encoding a request gives buffers.
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function readSettings(text: string): InstanceSettings {
  // Only the driver writes them.
  return JSON.parse(text) as InstanceSettings;
}

/** With a memory of its own: what the manager before held is gone. */
function createManager({ bridgeUrls, ...settings }: InstanceSettings): SessionManager<MarkedData> {
  return createSessionManager<MarkedData>({
    ...settings,
    bridgeUrl: bridgeUrls,
    holder: {},
    onEvent: (event) => {
      const name = event.type === 'rejected' ? `rejected: ${event.reason}` : event.type;
      events[name] = (events[name] ?? 0) + 1;
    },
  });
}

/** Has a save change how large its session is. */
function withBulk(
  inner: SessionManager<MarkedData>,
  { kind }: Task,
  bytes: number,
): SessionManager<MarkedData> {
  if (kind !== 'save') return inner;
  return {
    ...inner,
    getSession: async (request, options) => {
      const session = await inner.getSession(request, options);
      if (bytes > 0) session['bulk'] = 'x'.repeat(bytes);
      else delete session['bulk'];
      return session;
    },
  };
}

function watchLag(): void {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  setInterval(() => {
    const lagMs = delay.max / 1e6;
    delay.reset();
    if (lagMs > TOLD_LAG_MS) process.send?.({ lagMs });
  }, 500).unref();
}
