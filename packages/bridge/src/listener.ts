/** An HTTP server that cuts off whoever is too slow, sheds what is too much, and ends in order. */
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { PATHS } from '@memsession/client/protocol';
import { createAdaptorServer, type HttpBindings } from '@hono/node-server';
import type { Logger } from 'pino';
import { failure } from './answer.ts';
import { Connections } from './connections.ts';
import { respond } from './http.ts';
import { type SettingName, SETTINGS } from './settings.ts';

export interface ListenerOptions {
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Which setting the port comes from, for messages. */
  readonly setting: 'port' | 'adminPort';
  readonly log: Logger;
  /** On those that come beyond it health is answered, everything else with 503; then they are closed. */
  readonly maxConnections: number;
  /** Called for each connection that was not served because there were too many. */
  readonly onConnectionRefused?: () => void;
  /** How long an idle connection stays open, milliseconds. */
  readonly keepAliveMs?: number;
  /** A connection on which nothing moves while an answer is due is closed, milliseconds; 0: never. */
  readonly stallMs?: number;
}

/** From the start of a connection or request to the end of its head, milliseconds. */
const HEADERS_TIMEOUT_MS = 5_000;
/** And to the end of its body. */
const REQUEST_TIMEOUT_MS = 10_000;
const CHECK_EVERY_MS = 1_000;
const KEEP_ALIVE_MS = 75_000;
const STALL_MS = 30_000;
const MOST_HEADER_BYTES = 16_384;
/** Accepting fails by the thousand when it fails. */
const LOG_EVERY_MS = 1_000;

/** Whoever watches over the process must not take a crowd for its death. */
const HEALTH_PATHS: ReadonlySet<string> = new Set([PATHS.health, PATHS.ready]);

/**
 * The one spelling that a path may have. What parses URLs undoes dots, doubled slashes and encoded letters; a balancer
 * that keeps some paths from the outside does not, and must see the same path as we do.
 */
const PLAIN_TARGET = /^(?:\/[\w-][\w.-]*)*\/?(?:\?[^#]*)?$/;

/** A server that listens. */
export class Listener {
  readonly #server: Server;
  readonly #host: string;
  readonly #connections: Connections;

  private constructor(server: Server, connections: Connections, host: string) {
    this.#server = server;
    this.#connections = connections;
    this.#host = host;
  }

  /** Rejects when the port is taken. */
  static async start(options: ListenerOptions): Promise<Listener> {
    const connections = new Connections(options.maxConnections, () => options.onConnectionRefused?.());
    const server = makeServer(options, connections);
    const listener = new Listener(server, connections, options.host);
    try {
      // Bun says of a name without an address whatever went wrong last.
      await lookup(options.host);
      server.listen(options.port, options.host);
      await once(server, 'listening');
    } catch (error) {
      throw explain(error, options);
    }
    logErrors(server, options.log);
    return listener;
  }

  get connections(): number {
    return this.#connections.open;
  }

  /** Where it is reached from this machine. */
  get url(): string {
    // A server that listens on TCP has an AddressInfo, never a path.
    const { port } = this.#server.address() as AddressInfo;
    const host = this.#host;
    const name = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
  }

  /**
   * Takes no new connection. Idle ones are closed at once, those in use when their answer is out, all at the end
   * of the grace. Resolves when all are closed.
   */
  async stop(graceMs: number): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await closed;
    clearTimeout(timer);
  }
}

function makeServer(options: ListenerOptions, connections: Connections): Server {
  const serverOptions = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_EVERY_MS,
    keepAliveTimeout: options.keepAliveMs ?? KEEP_ALIVE_MS,
    maxHeaderSize: MOST_HEADER_BYTES,
    noDelay: true,
    // A request without a body needs none of what a stream goes through to its end. Older versions do not know this.
    optimizeEmptyRequests: true,
  };
  // createAdaptorServer makes a plain HTTP/1.1 server unless it is given another createServer.
  const server = createAdaptorServer({ fetch: serve, serverOptions }) as Server;
  server.timeout = options.stallMs ?? STALL_MS;
  server.on('connection', (socket) => connections.add(socket));
  return server;

  // The adaptor passes what Node.js made of the request as the second value; over HTTP/1.1 that is this.
  function serve(request: Request, env: unknown): Response | Promise<Response> {
    const { socket, url = '' } = (env as HttpBindings).incoming;
    if (connections.isSpare(socket)) return serveSpare(request, socket);
    return PLAIN_TARGET.test(url) ? options.fetch(request) : respond(failure('no_route'));
  }

  /** The one answer on a connection beyond the limit. */
  async function serveSpare(request: Request, socket: Socket): Promise<Response> {
    const isHealth = HEALTH_PATHS.has(new URL(request.url).pathname);
    if (isHealth) connections.serveSpare(socket);
    const response = isHealth ? await options.fetch(request) : respond(failure('overloaded'));
    response.headers.set('Connection', 'close');
    return response;
  }
}

/** Codes of failures that an address is to blame for. */
const NO_ADDRESS: ReadonlySet<unknown> = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL']);

/** Names the setting where one is at fault; the other failures speak for themselves. */
function explain(error: unknown, { host, port, setting }: ListenerOptions): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error;
  const complain = (name: SettingName, problem: string): Error => {
    const { env, flag } = SETTINGS[name];
    return new Error(`${env} (--${flag}): ${problem}`, { cause: error });
  };
  if (error.code === 'EADDRINUSE')
    return complain(setting, `${port} is taken on ${host}; choose another or end what listens there`);
  if (error.code === 'EACCES')
    return complain(setting, `${port} may not be opened by this user; choose one from 1024 on`);
  if (!NO_ADDRESS.has(error.code)) return error;
  const fix = 'use one of its own, 127.0.0.1, or 0.0.0.0 for all';
  return complain(setting === 'port' ? 'host' : 'adminHost', `${host} is no address of this machine; ${fix}`);
}

/** Out of file descriptors, accepting fails; that must not end the process, and passes. */
function logErrors(server: Server, log: Logger): void {
  let nextAt = 0;
  server.on('error', (error) => {
    if (Date.now() < nextAt) return;
    nextAt = Date.now() + LOG_EVERY_MS;
    log.error({ err: error }, 'connections cannot be accepted');
  });
}
