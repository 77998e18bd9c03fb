/** A memcached node reached through memjs: options, the nine operations, and the errors they end with. */
import { Call } from './memjs-call.ts';
import type { Credentials } from './memjs-socket.ts';
import {
  addOperation,
  casOperation,
  deleteOperation,
  gatOperation,
  getsOperation,
  noopOperation,
  statsOperation,
  touchOperation,
} from './memjs-operations.ts';
import type { Operation } from './memjs-operations.ts';
import { MemjsPool } from './memjs-pool.ts';
import { NodeError } from './node.ts';
import type {
  Clock,
  Item,
  MemcachedNode,
  NewItem,
  NodeErrorKind,
  StatsGroup,
  StoreOutcome,
  Touched,
} from './node.ts';
import { systemClock } from './system-clock.ts';

export interface MemjsNodeOptions {
  readonly index: number;
  /** A name or an address; IPv6 without brackets. Names are resolved at every connect. */
  readonly host: string;
  readonly port: number;
  /** SASL PLAIN. Nothing is ever taken from the environment. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** Longest time for one operation, connecting included, milliseconds. */
  readonly timeoutMs?: number;
  /** Connections that carry operations, from 1; the probe has one more. */
  readonly connections?: number;
  /** Operations that may wait at the same time; one more is refused as `busy`. */
  readonly maxInFlight?: number;
  /** Bytes a value may have. Must be under what the node takes: it deletes what it refuses. */
  readonly maxItemBytes?: number;
  readonly clock?: Clock;
  /** The opaque number of each connection's first request. */
  readonly firstOpaque?: number;
  /** The node or the network broke a connection that was in use, whether or not anything waited on it. */
  readonly onConnectionLost?: (error: NodeError) => void;
}

const DEFAULTS = {
  timeoutMs: 250,
  connections: 2,
  maxInFlight: 512,
  maxItemBytes: 1_000_000,
} as const;

/** What an answer may have beyond the value: flags, and the text of an error. */
const ANSWER_EXTRA_BYTES = 4_096;

type Settings = Required<Omit<MemjsNodeOptions, 'username' | 'password' | 'onConnectionLost'>> & {
  readonly credentials: Credentials | undefined;
  readonly onConnectionLost: (error: NodeError) => void;
};

/**
 * Connects when the first operation asks for it, and again after a connection was lost.
 *
 * @throws {TypeError} when an option is out of range.
 */
export function createMemjsNode(options: MemjsNodeOptions): MemcachedNode {
  return new MemjsNode(resolveSettings(options));
}

function resolveSettings(options: MemjsNodeOptions): Settings {
  const { username, password, ...rest } = options;
  const settings = { clock: systemClock, firstOpaque: 1, onConnectionLost: () => {}, ...DEFAULTS, ...rest };
  checkWhole('port', settings.port, 65_535);
  checkWhole('number of connections', settings.connections, 64);
  checkWhole('maxInFlight', settings.maxInFlight, 1_000_000);
  checkWhole('maxItemBytes', settings.maxItemBytes, 1_073_741_824);
  if (!(settings.timeoutMs > 0)) throw new TypeError('timeoutMs is over 0.');
  if (settings.host === '') throw new TypeError('The host is empty.');
  // memjs would log in nowhere, and silently, with only one of the two.
  if ((username ?? '') === '' && (password ?? '') === '') return { ...settings, credentials: undefined };
  if (username === undefined || username === '' || password === undefined || password === '') {
    throw new TypeError('A user name needs a password, and a password a user name.');
  }
  return { ...settings, credentials: { username, password } };
}

function checkWhole(what: string, number: number, most: number): void {
  if (!Number.isInteger(number) || number < 1 || number > most) {
    throw new TypeError(`The ${what} is a whole number from 1 to ${most}.`);
  }
}

class MemjsNode implements MemcachedNode {
  readonly index: number;
  readonly address: string;
  readonly #settings: Settings;
  readonly #traffic: MemjsPool;
  readonly #probe: MemjsPool;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #onIdle: () => void = () => {};

  constructor(settings: Settings) {
    const pool = {
      ...settings,
      maxAnswerBytes: settings.maxItemBytes + ANSWER_EXTRA_BYTES,
      onLost: (cause: unknown) =>
        settings.onConnectionLost(new NodeError(settings.index, 'connection', 'closed', cause)),
    };
    this.#settings = settings;
    this.#traffic = new MemjsPool(pool);
    this.#probe = new MemjsPool({ ...pool, connections: 1 });
    this.index = settings.index;
    this.address = `${settings.host.includes(':') ? `[${settings.host}]` : settings.host}:${settings.port}`;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  gets(key: string, deadlineMs?: number): Promise<Item | null> {
    return this.#run(() => getsOperation(key), deadlineMs);
  }

  gat(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Item | null> {
    return this.#run(() => gatOperation(key, ttlSeconds), deadlineMs);
  }

  touch(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Touched | null> {
    return this.#run(() => touchOperation(key, ttlSeconds), deadlineMs);
  }

  add(key: string, item: NewItem, deadlineMs?: number): Promise<StoreOutcome> {
    return this.#run(() => addOperation(key, item, this.#settings.maxItemBytes), deadlineMs);
  }

  // Four parameters, because the interface has them.
  cas(key: string, item: NewItem, expected: bigint, deadlineMs?: number): Promise<StoreOutcome> {
    const { maxItemBytes } = this.#settings;
    return this.#run(() => casOperation(key, item, { expected, maxItemBytes }), deadlineMs);
  }

  delete(key: string, expected?: bigint, deadlineMs?: number): Promise<boolean> {
    return this.#run(() => deleteOperation(key, expected), deadlineMs);
  }

  noop(deadlineMs?: number): Promise<void> {
    return this.#run(noopOperation, deadlineMs, this.#probe);
  }

  stats(deadlineMs?: number, group?: StatsGroup): Promise<ReadonlyMap<string, string>> {
    return this.#run(() => statsOperation(group), deadlineMs, this.#probe);
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    this.#traffic.drop();
    this.#probe.drop();
  }

  #run<T>(
    prepare: () => Operation<T>,
    deadlineMs: number = this.#settings.timeoutMs,
    pool: MemjsPool = this.#traffic,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      // What this throws, an argument out of range, rejects the promise.
      const operation = prepare();
      const waitMs = Math.min(checkDeadline(deadlineMs), this.#settings.timeoutMs);
      const obstacle = this.#obstacle(pool, waitMs);
      if (obstacle !== null) return reject(new NodeError(this.index, operation.name, obstacle));
      this.#inFlight += 1;
      const { index: nodeIndex } = this;
      pool.pick().send(new Call({ operation, waitMs, nodeIndex, resolve, reject, onSettled: this.#settled }));
    });
  }

  /** Why nothing can be sent now, for reasons that are ours and not the node's. */
  #obstacle(pool: MemjsPool, waitMs: number): NodeErrorKind | null {
    if (this.#closing !== undefined) return 'closed';
    const isFull = pool === this.#traffic && this.#inFlight >= this.#settings.maxInFlight;
    return isFull || waitMs <= 0 ? 'busy' : null;
  }

  readonly #settled = (): void => {
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#onIdle();
  };
}

function checkDeadline(deadlineMs: number): number {
  if (Number.isNaN(deadlineMs)) throw new TypeError('A deadline is a number of milliseconds.');
  return deadlineMs;
}
