/** A TCP proxy on loopback that makes connections slow, cut, silent or late, while a test runs. */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { resetSocket } from '../../packages/bridge/src/reset-socket.ts';
import { FaultPipe } from './fault-pipe.ts';
import type { Toxics } from './fault-pipe.ts';

export type { Toxics };

/** `up`: from the client to the target. `down`: back. */
export type Direction = 'up' | 'down';

export interface FaultProxyOptions {
  readonly targetPort: number;
  readonly targetHost?: string;
  /** From 0 up to but not including 1; for jitter. */
  readonly random?: () => number;
}

export interface ProxyCounts {
  /** Connections that clients have made. */
  readonly accepted: number;
  /** Of these, open on the client's side now. */
  readonly open: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
}

/** Starts with no toxics, so that everything passes. */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.accept();
  return proxy;
}

export class FaultProxy {
  readonly #options: FaultProxyOptions;
  readonly #server: Server;
  readonly #links: Set<Link> = new Set();
  #toxics: Record<Direction, Toxics> = { up: {}, down: {} };
  #port = 0;
  #accepted = 0;
  #bytes: Record<Direction, number> = { up: 0, down: 0 };

  constructor(options: FaultProxyOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#link(client));
  }

  get port(): number {
    return this.#port;
  }

  get counts(): ProxyCounts {
    const open = [...this.#links].filter((link) => !link.client.closed).length;
    return { accepted: this.#accepted, open, bytesUp: this.#bytes.up, bytesDown: this.#bytes.down };
  }

  /** Replaces the toxics of one direction, for open connections too unless they are frozen. */
  poison(direction: Direction, toxics: Toxics): void {
    this.#toxics[direction] = toxics;
    for (const link of this.#links) if (!link.isFrozen) link.pipes[direction].poison(toxics);
  }

  /** Takes all toxics away; what was held is delivered. */
  heal(): void {
    this.poison('up', {});
    this.poison('down', {});
  }

  /** The connections that are there now keep the toxics they have, until they are healed for themselves. */
  freeze(): { heal(): void } {
    const frozen = [...this.#links];
    for (const link of frozen) link.isFrozen = true;
    return {
      heal: () => {
        for (const link of frozen) {
          link.isFrozen = false;
          link.pipes.up.poison({});
          link.pipes.down.poison({});
        }
      },
    };
  }

  /** Resets all open connections on the client's side, and closes them on the target's. */
  resetPeers(): void {
    for (const link of this.#links) {
      resetSocket(link.client);
      link.target.destroy();
    }
  }

  /** No new connections: they are refused. Open ones stay. */
  async refuse(): Promise<void> {
    if (!this.#server.listening) return;
    // Closed only calls back when all connections have ended; the port is free at once.
    this.#server.close();
  }

  /** New connections again, on the same port. */
  async accept(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
    this.#port = address.port;
  }

  /** Ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, target } of this.#links) {
      client.destroy();
      target.destroy();
    }
    await this.refuse();
  }

  #link(client: Socket): void {
    this.#accepted += 1;
    const { targetPort, targetHost = '127.0.0.1', random = Math.random } = this.#options;
    const target = connect({ port: targetPort, host: targetHost, allowHalfOpen: true, noDelay: true });
    const link: Link = {
      client,
      target,
      isFrozen: false,
      pipes: {
        up: new FaultPipe({
          source: client,
          sink: target,
          random,
          onBytes: (bytes) => (this.#bytes.up += bytes),
        }),
        down: new FaultPipe({
          source: target,
          sink: client,
          random,
          onBytes: (bytes) => (this.#bytes.down += bytes),
        }),
      },
    };
    link.pipes.up.poison(this.#toxics.up);
    link.pipes.down.poison(this.#toxics.down);
    this.#links.add(link);
    const forget = (): void => {
      if (client.closed && target.closed) this.#links.delete(link);
    };
    client.once('close', forget);
    target.once('close', forget);
  }
}

interface Link {
  readonly client: Socket;
  readonly target: Socket;
  isFrozen: boolean;
  readonly pipes: Readonly<Record<Direction, FaultPipe>>;
}
