/** A node whose operations are timed and counted. */
import {
  type Item,
  type MemcachedNode,
  NodeError,
  type NewItem,
  type StatsGroup,
  type StoreOutcome,
  type Touched,
} from './node.ts';

/** One operation that ended. */
export interface NodeOperation {
  readonly index: number;
  readonly operation: string;
  /** `ok`, or the kind of its error. */
  readonly kind: string;
  readonly seconds: number;
}

export interface Meter {
  /** Milliseconds that never go back. */
  readonly now: () => number;
  readonly ended: (operation: NodeOperation) => void;
}

/** The same node; every operation is reported when it ends. */
export function meterNode(node: MemcachedNode, meter: Meter): MemcachedNode {
  return new MeteredNode(node, meter);
}

class MeteredNode implements MemcachedNode {
  readonly index: number;
  readonly address: string;
  readonly #node: MemcachedNode;
  readonly #meter: Meter;

  constructor(node: MemcachedNode, meter: Meter) {
    this.index = node.index;
    this.address = node.address;
    this.#node = node;
    this.#meter = meter;
  }

  get inFlight(): number {
    return this.#node.inFlight;
  }

  gets(key: string, deadlineMs?: number): Promise<Item | null> {
    return this.#time('gets', this.#node.gets(key, deadlineMs));
  }

  gat(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Item | null> {
    return this.#time('gat', this.#node.gat(key, ttlSeconds, deadlineMs));
  }

  add(key: string, item: NewItem, deadlineMs?: number): Promise<StoreOutcome> {
    return this.#time('add', this.#node.add(key, item, deadlineMs));
  }

  // Four parameters, because the interface has them.
  cas(key: string, item: NewItem, expected: bigint, deadlineMs?: number): Promise<StoreOutcome> {
    return this.#time('cas', this.#node.cas(key, item, expected, deadlineMs));
  }

  touch(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Touched | null> {
    return this.#time('touch', this.#node.touch(key, ttlSeconds, deadlineMs));
  }

  delete(key: string, expected?: bigint, deadlineMs?: number): Promise<boolean> {
    return this.#time('delete', this.#node.delete(key, expected, deadlineMs));
  }

  noop(deadlineMs?: number): Promise<void> {
    return this.#time('probe', this.#node.noop(deadlineMs));
  }

  stats(deadlineMs?: number, group?: StatsGroup): Promise<ReadonlyMap<string, string>> {
    return this.#time('stats', this.#node.stats(deadlineMs, group));
  }

  close(): Promise<void> {
    return this.#node.close();
  }

  /** Looks on from the side: what is returned is the work itself, with no promise put around it. */
  #time<T>(operation: string, work: Promise<T>): Promise<T> {
    const began = this.#meter.now();
    const end = (kind: string): void => {
      const seconds = (this.#meter.now() - began) / 1_000;
      this.#meter.ended({ index: this.index, operation, kind, seconds });
    };
    work.then(
      () => end('ok'),
      (error: unknown) => end(error instanceof NodeError ? error.kind : 'refused_by_us'),
    );
    return work;
  }
}
