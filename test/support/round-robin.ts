/** A round-robin balancer in front of instances: each request goes to the next one that takes it. */
import { once } from 'node:events';
import {
  createServer,
  request as send,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream';

export class RoundRobin {
  readonly #targets: readonly string[];
  readonly #server: Server;
  #next = 0;
  /** When set, all requests go to this target alone. */
  pinned: number | null = null;
  /** When set, the answers to requests for a path wait for what it gives. */
  holding: ((path: string) => Promise<void> | undefined) | null = null;

  private constructor(targets: readonly string[]) {
    this.#targets = targets;
    this.#server = createServer((request, response) => this.#pass(request, response, this.#order()));
  }

  static async start(targets: readonly string[]): Promise<RoundRobin> {
    const balancer = new RoundRobin(targets);
    balancer.#server.listen(0, 'localhost');
    await once(balancer.#server, 'listening');
    return balancer;
  }

  get url(): string {
    // A server that listens on TCP has an AddressInfo, never a path.
    return `http://localhost:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The targets in the order in which this request tries them. */
  #order(): readonly string[] {
    const first = this.pinned ?? this.#next++ % this.#targets.length;
    if (this.pinned !== null) return this.#targets.slice(first, first + 1);
    return [...this.#targets.slice(first), ...this.#targets.slice(0, first)];
  }

  #pass(request: IncomingMessage, response: ServerResponse, [target, ...others]: readonly string[]): void {
    if (target === undefined) {
      response.writeHead(502).end('No instance answers.');
      return;
    }
    const { method, url = '/', headers } = request;
    // A connection of its own: a kept one may break when its instance is killed, after the body has been sent.
    const passed = send(new URL(url, target), {
      ...(method === undefined ? {} : { method }),
      headers,
      agent: false,
    });
    passed.on('response', (answer) => {
      const pass = (): void => {
        response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        pipeline(answer, response, () => undefined);
      };
      const held = this.holding?.(url);
      if (held === undefined) pass();
      else void held.then(pass);
    });
    passed.on('error', (error) => {
      const isRefused = 'code' in error && error.code === 'ECONNREFUSED';
      if (isRefused && !response.headersSent) this.#pass(request, response, others);
      else response.destroy();
    });
    passed.on('socket', (socket) => socket.once('connect', () => request.pipe(passed)));
    // A browser that hangs up hangs up on the instance too.
    response.on('close', () => passed.destroy());
  }
}
