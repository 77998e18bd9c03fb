/** The connections to one node: how many there are, and which one takes the next request. */
import { MemjsConnection } from './memjs-connection.ts';
import type { ConnectionEnd, ConnectionOptions } from './memjs-connection.ts';

export interface PoolOptions extends ConnectionOptions {
  /** At most so many. */
  readonly connections: number;
  /** The node or the network broke a connection that was in use. */
  readonly onLost: (cause: unknown) => void;
}

/** After an additional connection failed, the next attempt waits so long, milliseconds. */
const SPARE_PAUSE_MS = 1_000;

export class MemjsPool {
  readonly #options: PoolOptions;
  readonly #connections: Set<MemjsConnection> = new Set();
  #nextSpareAt = Number.NEGATIVE_INFINITY;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /**
   * The connection with the least load. Only without any that is ready does a request wait for one to be made,
   * all of them for the same one; the others are made one after the other, and used when they are ready.
   */
  pick(): MemjsConnection {
    let best: MemjsConnection | undefined;
    let opening: MemjsConnection | undefined;
    for (const connection of this.#connections) {
      if (!connection.isReady) opening = connection;
      else if (best === undefined || connection.load < best.load) best = connection;
    }
    if (best === undefined) return opening ?? this.#open();
    if (opening === undefined) this.#openSpare();
    return best;
  }

  /** Drops all connections, at once. */
  drop(): void {
    for (const connection of [...this.#connections]) connection.drop('closed');
  }

  #openSpare(): void {
    const { connections, clock } = this.#options;
    if (this.#connections.size < connections && clock.now() >= this.#nextSpareAt) this.#open();
  }

  #open(): MemjsConnection {
    const connection = new MemjsConnection(this.#options, {
      onReady: () => this.#openSpare(),
      onEnd: (end) => this.#ended(connection, end),
    });
    this.#connections.add(connection);
    return connection;
  }

  #ended(connection: MemjsConnection, { wasReady, isLoss, cause, orphans }: ConnectionEnd): void {
    this.#connections.delete(connection);
    if (!wasReady) this.#nextSpareAt = this.#options.clock.now() + SPARE_PAUSE_MS;
    if (isLoss) this.#options.onLost(cause);
    for (const orphan of orphans) this.pick().send(orphan);
  }
}
