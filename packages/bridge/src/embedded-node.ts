/** A memcached node inside this process, for a first look and for tests: the same protocol over a real socket. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Commands } from './embedded-commands.ts';
import { ItemMemory } from './embedded-items.ts';
import { EmbeddedSession } from './embedded-session.ts';
import type { EmbeddedFault } from './embedded-session.ts';
import type { Clock } from './node.ts';
import { systemClock } from './system-clock.ts';

export type { EmbeddedFault };

export interface EmbeddedNodeOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  readonly host?: string;
  /** For all items together, 64 MiB by default. */
  readonly maxBytes?: number;
  /** For one item, 1 MiB by default, as memcached counts it. */
  readonly maxItemBytes?: number;
  /** False: a full memory refuses new items instead of forgetting old ones. */
  readonly isEvicting?: boolean;
  readonly clock?: Clock;
  readonly fault?: EmbeddedFault;
}

export interface EmbeddedNode {
  readonly host: string;
  readonly port: number;
  /** `host:port`, IPv6 in brackets. */
  readonly address: string;
  /** What STAT calls `pid`: another one at every start, since every start is without memory. */
  readonly pid: number;
  /** Open connections. */
  readonly connections: number;
  /** From now on, in place of the fault before. Resolves when it is in force. */
  inject(fault: EmbeddedFault): Promise<void>;
  /** No fault any more; what was held is carried out. */
  heal(): Promise<void>;
  /** Resets all connections and stops listening. */
  close(): Promise<void>;
}

const DEFAULTS = {
  port: 0,
  host: '127.0.0.1',
  maxBytes: 67_108_864,
  maxItemBytes: 1_048_576,
  isEvicting: true,
};
const LARGEST_PID = 2_147_483_647;

const epochSeconds = (): number => Date.now() / 1_000;

/** Rejects when the port is taken. */
export async function startEmbeddedNode(options: EmbeddedNodeOptions = {}): Promise<EmbeddedNode> {
  const node = new SocketNode({ clock: systemClock, ...DEFAULTS, ...options });
  await node.listen();
  return node;
}

type Settings = Required<Omit<EmbeddedNodeOptions, 'fault'>> & { readonly fault?: EmbeddedFault };

class SocketNode implements EmbeddedNode {
  readonly pid: number = randomInt(1, LARGEST_PID);
  readonly host: string;
  readonly #settings: Settings;
  readonly #startedAt: number;
  readonly #commands: Commands;
  readonly #sessions: Set<EmbeddedSession> = new Set();
  readonly #server: Server;
  #port: number;
  #totalConnections = 0;
  #fault: EmbeddedFault | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#fault = settings.fault;
    this.host = settings.host;
    this.#port = settings.port;
    this.#startedAt = settings.clock.now();
    const memory = new ItemMemory({ ...settings, epochSeconds });
    const isOutOfMemory = (): boolean => this.#fault?.kind === 'out_of_memory';
    this.#commands = new Commands({
      memory,
      isOutOfMemory,
      stats: () => this.#stats(),
      settings: () => this.#startedWith(),
    });
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  get port(): number {
    return this.#port;
  }

  get address(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  get connections(): number {
    return this.#sessions.size;
  }

  async listen(): Promise<void> {
    this.#server.listen(this.#port, this.host);
    await once(this.#server, 'listening');
    // A TCP server's address is never a string or null while it listens.
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async inject(fault: EmbeddedFault): Promise<void> {
    this.#fault = fault;
    if (fault.kind === 'refuse') await this.close();
    else await this.#resume();
  }

  async heal(): Promise<void> {
    this.#fault = undefined;
    await this.#resume();
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) session.reset();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }

  async #resume(): Promise<void> {
    if (!this.#server.listening) await this.listen();
    for (const session of this.#sessions) session.resume();
  }

  #accept(socket: Socket): void {
    this.#totalConnections += 1;
    const session = new EmbeddedSession(socket, {
      commands: this.#commands,
      clock: this.#settings.clock,
      fault: () => this.#fault,
    });
    this.#sessions.add(session);
    socket.once('close', () => this.#sessions.delete(session));
  }

  *#stats(): Generator<readonly [string, string | number]> {
    const now = this.#settings.clock.now();
    yield ['pid', this.pid];
    yield ['uptime', Math.floor((now - this.#startedAt) / 1_000)];
    yield ['time', Math.floor(epochSeconds())];
    yield ['curr_connections', this.#sessions.size];
    yield ['total_connections', this.#totalConnections];
    yield ['limit_maxbytes', this.#settings.maxBytes];
  }
  *#startedWith(): Generator<readonly [string, string | number]> {
    const { maxBytes, maxItemBytes, isEvicting } = this.#settings;
    yield ['maxbytes', maxBytes];
    yield ['item_size_max', maxItemBytes];
    yield ['evictions', isEvicting ? 'on' : 'off'];
    yield ['udpport', 0];
    yield ['binding_protocol', 'binary'];
  }
}
