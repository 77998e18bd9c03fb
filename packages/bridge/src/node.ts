/** The interface behind which a memcached node stands, whatever driver or protocol speaks to it. */

/** What a node holds under one key. */
export interface Item {
  /** The session's version, kept in memcached's 32-bit flags. */
  readonly version: number;
  /** The record; empty in a tombstone. */
  readonly value: Buffer;
  /**
   * The node's own number for this state of the item. One counter serves all items of a memcached
   * process and only grows, so it also tells which of two items was written later.
   */
  readonly cas: bigint;
}

/** What is to be stored. */
export interface NewItem {
  readonly version: number;
  readonly value: Buffer;
  /** Whole seconds from 1 to 2,592,000. */
  readonly ttlSeconds: number;
}

/**
 * The outcome of a conditional write: the new CAS number, or why nothing was written.
 * `exists`: another state of the item is there. `absent`: there is no item to replace.
 */
export type StoreOutcome =
  | { readonly stored: true; readonly cas: bigint }
  | { readonly stored: false; readonly reason: 'exists' | 'absent' };

/** What a TOUCH of an item that is there tells about it. */
export interface Touched {
  readonly version: number;
  readonly cas: bigint;
}

/** What `stats` can be asked for beside the general ones: `settings` tells how the server was started. */
export type StatsGroup = 'settings';

/**
 * One memcached server. Each call settles within its deadline: `deadlineMs` is at most the node's own
 * time-out and shortens it. A miss is a value, never an error; every failure is a {@link NodeError}.
 *
 * Keys are 1 to 250 bytes of printable ASCII without space. What breaks the bounds of a key, a size or a
 * lifetime throws a TypeError before anything is sent, so that it can never count against the node.
 */
export interface MemcachedNode {
  readonly index: number;
  /** `host:port`, for logs. */
  readonly address: string;
  gets(key: string, deadlineMs?: number): Promise<Item | null>;
  /** Reads and gives the item a new lifetime in one step; its CAS number stays. */
  gat(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Item | null>;
  add(key: string, item: NewItem, deadlineMs?: number): Promise<StoreOutcome>;
  /** Replaces exactly the state `expected` of the item. */
  cas(key: string, item: NewItem, expected: bigint, deadlineMs?: number): Promise<StoreOutcome>;
  touch(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Touched | null>;
  /** Whether there was an item to delete. With `expected`, deletes exactly that state. */
  delete(key: string, expected?: bigint, deadlineMs?: number): Promise<boolean>;
  /** A probe, on a connection of its own, so that neither traffic nor a full queue can delay it. */
  noop(deadlineMs?: number): Promise<void>;
  /**
   * memcached's general statistics, e.g. `pid`, `uptime`, `evictions`, or with a group those of that group;
   * on the probe's connection.
   */
  stats(deadlineMs?: number, group?: StatsGroup): Promise<ReadonlyMap<string, string>>;
  /** Operations sent and not settled. */
  readonly inFlight: number;
  /** Lets operations in flight finish within their deadlines, then drops all connections. */
  close(): Promise<void>;
}

/**
 * Why an operation failed.
 * - `refused`: the machine says that no process listens at the address (ECONNREFUSED): one that was there has ended.
 * - `unreachable`: no connection for another reason (no way there, unknown host, over its limit, not let in).
 * - `closed`: an established connection broke before the answer.
 * - `timeout`: no answer within the deadline.
 * - `protocol`: the answer is not what memcached would say; the connection is dropped.
 * - `auth`: SASL failed or is required.
 * - `busy`: our own cap on operations in flight, nothing was sent.
 * - `out_of_memory`, `too_large`: memcached refused the item, the old one is as it was.
 * - `server`: another error status, e.g. temporary failure.
 */
export type NodeErrorKind =
  | 'refused'
  | 'unreachable'
  | 'closed'
  | 'timeout'
  | 'protocol'
  | 'auth'
  | 'busy'
  | 'out_of_memory'
  | 'too_large'
  | 'server';

/** Thrown by nodes, caught by the store and the health checks, and nowhere else. */
export class NodeError extends Error {
  override readonly name = 'NodeError';
  readonly nodeIndex: number;
  readonly operation: string;
  readonly kind: NodeErrorKind;

  constructor(nodeIndex: number, operation: string, kind: NodeErrorKind, cause?: unknown) {
    super(`node ${nodeIndex}: ${operation} failed: ${kind}`, cause === undefined ? undefined : { cause });
    this.nodeIndex = nodeIndex;
    this.operation = operation;
    this.kind = kind;
  }
}

/** Time as the bridge sees it, so that tests and simulations can own it. */
export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}
