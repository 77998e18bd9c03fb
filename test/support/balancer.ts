/** A load balancer as simple as they come: takes turns among those that are ready, and never sends anything twice. */
import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

export interface Balancer extends AsyncDisposable {
  readonly url: string;
  /** Which are ready now, by their URLs. */
  readonly ready: ReadonlySet<string>;
}

const LOOK_EVERY_MS = 100;

/** Starts it in front of these URLs, and asks each whether it is ready ten times a second. */
export async function startBalancer(upstreams: readonly string[]): Promise<Balancer> {
  const ready = new Set<string>();
  const agent = new Agent({ keepAlive: true });
  let turns = 0;
  const server = createServer((incoming, outgoing) => {
    const usable = upstreams.filter((upstream) => ready.has(upstream));
    const upstream = usable[(turns += 1) % Math.max(1, usable.length)];
    if (upstream === undefined) outgoing.writeHead(502, { 'x-why': 'none is ready' }).end();
    else pass(incoming, outgoing, { upstream, agent });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const timer = setInterval(() => {
    for (const upstream of upstreams) void look(upstream, ready);
  }, LOOK_EVERY_MS);
  return {
    url: urlOf(server),
    ready,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function look(upstream: string, ready: Set<string>): Promise<void> {
  const response = await fetch(`${upstream}/readyz`).catch(() => null);
  await response?.body?.cancel();
  if (response?.status === 200) ready.add(upstream);
  else ready.delete(upstream);
}

function pass(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { upstream, agent }: { upstream: string; agent: Agent },
): void {
  const { method = 'GET', url = '/', headers } = incoming;
  const sent = request(upstream + url, { method, headers, agent });
  sent.on('response', (response) => {
    const { connection: _, ...rest } = response.headers;
    outgoing.writeHead(response.statusCode ?? 502, rest);
    response.pipe(outgoing);
  });
  sent.on('error', (error) => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502, { 'x-why': error.message }).end();
  });
  incoming.pipe(sent);
}

function urlOf(server: Server): string {
  // A server that listens on TCP has an AddressInfo, never a path.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
