/** A bridge with its nodes for measuring: the bridge on one core, the nodes on the other one. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HEADERS, PATHS } from '../../packages/client/src/protocol.ts';
import { answersOnPort, answersOnUrl, findFreePort } from '../../examples/start/ports.ts';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { type Core, MeasuredProcess } from './measured-process.ts';
import { requireBun } from './peers.ts';
import { requireTool } from './tools.ts';

export type Runtime = 'node' | 'bun';

export interface StackOptions {
  readonly nodes?: number;
  readonly runtime?: Runtime;
  /** Where the bridge runs. */
  readonly core?: Core;
  /** Settings of the bridge besides the usual ones. */
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of the runtime. */
  readonly flags?: readonly string[];
  /** A clone of the repository whose bridge is started; this one when left out. */
  readonly clone?: string;
}

/** A session as the bridge knows it. */
export interface Stored {
  readonly ref: string;
  readonly version: number;
}

const HERE = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = 'packages/bridge/dist/main.js';
const APP = 'shop';
/** Sessions are stored so many at a time. */
const AT_ONCE = 32;
const SEED_WITHIN_MS = 10_000;

/** A memcached process that answers. */
export async function startNode(core: Core = 'rest'): Promise<{ port: number; process: MeasuredProcess }> {
  const { path, env } = requireTool('memcached');
  const port = await findFreePort();
  // memcached refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
  const started = await MeasuredProcess.start(core, {
    name: `memcached on port ${port}`,
    command: path,
    args: ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-t', '1', '-m', '1024', ...user],
    env,
    isHealthy: () => answersOnPort(port),
  });
  return { port, process: started };
}

export class Stack {
  readonly url: string;
  readonly bridge: MeasuredProcess;
  readonly nodes: readonly MeasuredProcess[];
  readonly nodePorts: readonly number[];

  private constructor(parts: Pick<Stack, 'url' | 'bridge' | 'nodes' | 'nodePorts'>) {
    this.url = parts.url;
    this.bridge = parts.bridge;
    this.nodes = parts.nodes;
    this.nodePorts = parts.nodePorts;
  }

  /** Starts memcached processes and a bridge in front of them. */
  static async start({
    nodes: count = 3,
    runtime = 'node',
    core = 'measured',
    env = {},
    flags = [],
    clone = HERE,
  }: StackOptions = {}): Promise<Stack> {
    const nodes = await Promise.all(Array.from({ length: count }, () => startNode()));
    const ports = nodes.map(({ port }) => port);
    const port = await findFreePort();
    const url = `http://127.0.0.1:${port}`;
    const bridge = await MeasuredProcess.start(core, {
      name: `bridge on ${runtime}`,
      command: runtime === 'bun' ? requireBun() : process.execPath,
      args: [...flags, join(clone, MAIN)],
      env: {
        MEMCACHED_NODES: ports.map((each) => `127.0.0.1:${each}`).join(','),
        BRIDGE_SECRET,
        HOST: '127.0.0.1',
        PORT: `${port}`,
        LOG_LEVEL: 'error',
        STOP_WAIT_MS: '0',
        // On a busy machine the usual deadlines are missed for reasons that are not what is measured.
        NODE_TIMEOUT_MS: '2000',
        MAX_QUEUE_MS: '2000',
        NODE_ENV: 'production',
        ...env,
      },
      isHealthy: () => answersOnUrl(`${url}${PATHS.ready}`),
    });
    return new Stack({ url, bridge, nodes: nodes.map(({ process: node }) => node), nodePorts: ports });
  }

  token(): Promise<string> {
    return makeToken({ app: APP });
  }

  /** Stores new sessions of so many bytes. */
  async seed(count: number, bytes: number): Promise<Stored[]> {
    const authorization = `Bearer ${await this.token()}`;
    const stored: Stored[] = [];
    while (stored.length < count) {
      const ids = Array.from({ length: Math.min(AT_ONCE, count - stored.length) }, makeId);
      stored.push(...(await Promise.all(ids.map((id) => this.#put(id, bytes, authorization)))));
    }
    return stored;
  }

  /** The first lines of a script for wrk: the sessions and the headers that every request needs. */
  async preamble(sessions: readonly Stored[]): Promise<string> {
    const refs = sessions.map(({ ref }) => `"${ref}"`).join(',');
    return `local refs={${refs}}\nlocal headers={["Authorization"]="Bearer ${await this.token()}"}\nlocal i=0\n`;
  }

  async stop(): Promise<void> {
    await this.bridge.stop();
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #put(id: string, bytes: number, authorization: string): Promise<Stored> {
    const giveUpAt = Date.now() + SEED_WITHIN_MS;
    for (;;) {
      const response = await fetch(`${this.url}${PATHS.sessions}/${id}`, {
        method: 'PUT',
        headers: { authorization, [HEADERS.version]: '1', 'if-none-match': '*', [HEADERS.ttl]: '86400' },
        body: makeRecord(bytes),
      });
      const ref = response.headers.get(HEADERS.ref);
      if (response.ok && ref !== null) return { ref, version: 1 };
      const answer = `${response.status}: ${await response.text()}`;
      // On a busy machine a node may miss its deadline; the same bytes again do no harm.
      if (response.status < 500 || Date.now() > giveUpAt) throw new Error(`The bridge answered ${answer}`);
    }
  }
}

/** Text as records are: letters of base64url. */
export function makeRecord(bytes: number): string {
  return 'ZXhhbXBsZS1vZi1hLXJlY29yZA'.repeat(Math.ceil(bytes / 26)).slice(0, bytes);
}

/** A new session id. */
export function makeId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
    .toString('hex')
    .toUpperCase();
}
