/** The running bridge: all parts put together, its listeners, and an orderly end. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import { Authenticator } from './auth.ts';
import { Cluster } from './cluster.ts';
import type { Config } from './config.ts';
import { type EmbeddedNode, startEmbeddedNode } from './embedded-node.ts';
import type { Transition } from './health.ts';
import { LagMeter } from './lag.ts';
import { createMemjsNode } from './memjs-node.ts';
import type { NodeEntry, NodeList } from './node-list.ts';
import { NodesFile } from './nodes-file.ts';
import { SessionStore } from './store.ts';
import { systemClock } from './system-clock.ts';

/** Longer than the idle time-outs of usual load balancers (60 s), so that they close first, milliseconds. */
const KEEP_ALIVE_MS = 75_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;

/** A bridge that serves until it is stopped. */
export interface Service {
  /** Where clients reach it. */
  readonly url: string;
  readonly cluster: Cluster;
  readonly store: SessionStore;
  /** Reads the node list again, if it came from a file. */
  reload(): Promise<void>;
  /**
   * Stops taking work, lets requests under way finish, closes everything. Resolves when all is closed,
   * at the latest after `graceMs` milliseconds.
   */
  stop(graceMs: number): Promise<void>;
}

/** Starts a bridge; rejects when the port is taken. */
export async function startService(config: Config, log: Logger): Promise<Service> {
  const embedded = await Promise.all(Array.from({ length: config.embedded }, () => startEmbeddedNode()));
  if (embedded.length > 0)
    log.warn('embedded nodes: sessions die with this process; never do this in production');
  const lag = new LagMeter(systemClock);
  const cluster = createCluster(config, { list: [...config.nodes, ...embedded.map(describe)], lag, log });
  const nodesFile = config.nodesFile === null ? null : watch(config.nodesFile, cluster, log);
  const observer = { count: () => {} };
  const { copies, nodeTimeoutMs } = config;
  const store = new SessionStore({ cluster, clock: systemClock, copies, nodeTimeoutMs, observer });
  let isStopping = false;
  const app = createApp({
    store,
    cluster,
    authenticator: new Authenticator({ apps: config.apps, wallClock: Date.now }),
    maxRecordBytes: config.maxRecordBytes,
    whyNotReady: () => (isStopping ? 'stopping' : cluster.hasAvailableNode ? null : 'no node can be used'),
    warnings: () => nodesFile?.problems ?? [],
    log,
  });
  await cluster.settled();
  const server = await listen(app.fetch, config);
  return {
    url: formatUrl(server, config.host),
    cluster,
    store,
    reload: async () => nodesFile?.reload(),
    stop: async (graceMs) => {
      isStopping = true;
      nodesFile?.stop();
      await closeServer(server, graceMs);
      store.close();
      lag.stop();
      await cluster.close();
      await Promise.all(embedded.map((node) => node.close()));
    },
  };
}

function describe(node: EmbeddedNode, index: number): NodeEntry {
  return { index, host: node.host, port: node.port, state: 'active' };
}

function watch(path: string, cluster: Cluster, log: Logger): NodesFile {
  const apply = (list: NodeList): string[] => cluster.apply(list);
  return new NodesFile({ path, clock: systemClock, readFile: (each) => readFile(each, 'utf8'), apply, log });
}

function createCluster(config: Config, parts: { list: NodeList; lag: LagMeter; log: Logger }): Cluster {
  const { nodeTimeoutMs: timeoutMs, maxRecordBytes: maxItemBytes, memcached } = config;
  const credentials = memcached ?? {};
  return new Cluster(
    {
      clock: systemClock,
      random: Math.random,
      wallClock: Date.now,
      lagMs: () => parts.lag.lagMs,
      lossGraceMs: config.nodeLossGraceMs,
      createNode: ({ index, host, port }, onConnectionLost) =>
        createMemjsNode({ index, host, port, timeoutMs, maxItemBytes, onConnectionLost, ...credentials }),
      onTransition: (transition) => logTransition(parts.log, transition),
    },
    parts.list,
  );
}

function logTransition(log: Logger, { index, from, to, reason }: Transition): void {
  const level = to === 'down' ? 'error' : to === 'suspected' ? 'warn' : 'info';
  log[level]({ node: index, from, to, reason }, `node ${index} is ${to}`);
}

async function listen(
  fetch: (request: Request) => Response | Promise<Response>,
  config: Config,
): Promise<Server> {
  // createAdaptorServer makes a plain HTTP/1.1 server unless it is given another createServer.
  const server = createAdaptorServer({ fetch }) as Server;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.listen(config.port, config.host);
  await once(server, 'listening');
  return server;
}

/** Idle connections are closed at once, those in use when their answer is out, all at the end of the grace. */
async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(timer);
}

function formatUrl(server: Server, host: string): string {
  // A server that listens on TCP has an AddressInfo, never a path.
  const { port } = server.address() as AddressInfo;
  const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
