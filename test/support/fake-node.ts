/** A node in memory with memcached's rules, whose failures a test decides. */
import {
  type Clock,
  type Item,
  type MemcachedNode,
  type NewItem,
  NodeError,
  type NodeErrorKind,
  type StoreOutcome,
  type Touched,
} from '../../packages/bridge/src/node.ts';

interface Stored extends Item {
  readonly expiresAt: number;
}

/**
 * - `unreachable`: no way there; the process keeps what it has.
 * - `refused`: the process has ended; a test that means it empties the items too.
 * - `hang`: nothing is answered; writes sent meanwhile are applied when the node is {@link FakeNode.heal}ed.
 * - `lose answers`: everything is carried out and nothing answered.
 * - `full`: writes are refused for lack of memory.
 */
export type FakeFault = 'unreachable' | 'refused' | 'hang' | 'lose answers' | 'full';

const TIMEOUT_MS = 250;

export class FakeNode implements MemcachedNode {
  readonly index: number;
  readonly address: string;
  readonly inFlight = 0;
  fault: FakeFault | null = null;
  /** Operations that reached the node, by name. */
  readonly calls: Map<string, number> = new Map();
  readonly items: Map<string, Stored> = new Map();
  readonly #clock: Clock;
  #cas = 0n;
  #late: (() => void)[] = [];

  constructor(index: number, clock: Clock) {
    this.index = index;
    this.address = `fake:${index}`;
    this.#clock = clock;
  }

  /** Ends the fault; what hung is carried out now, when `appliesLate` says so. */
  heal(appliesLate: boolean = true): void {
    this.fault = null;
    const late = this.#late;
    this.#late = [];
    if (appliesLate) for (const apply of late) apply();
  }

  /** Ends the fault as a process that was started anew. */
  restartEmpty(): void {
    this.items.clear();
    this.#cas = 0n;
    this.heal(false);
  }

  async gets(key: string, deadlineMs: number = TIMEOUT_MS): Promise<Item | null> {
    return this.#run('gets', deadlineMs, () => this.#read(key));
  }

  async gat(key: string, ttlSeconds: number, deadlineMs: number = TIMEOUT_MS): Promise<Item | null> {
    return this.#run('gat', deadlineMs, () => this.#prolong(key, ttlSeconds));
  }

  async touch(key: string, ttlSeconds: number, deadlineMs: number = TIMEOUT_MS): Promise<Touched | null> {
    return this.#run('touch', deadlineMs, () => this.#prolong(key, ttlSeconds));
  }

  async add(key: string, item: NewItem, deadlineMs: number = TIMEOUT_MS): Promise<StoreOutcome> {
    return this.#run('add', deadlineMs, () =>
      this.#read(key) === null ? this.#store(key, item) : { stored: false, reason: 'exists' },
    );
  }

  async cas(
    key: string,
    item: NewItem,
    expected: bigint,
    deadlineMs: number = TIMEOUT_MS,
  ): Promise<StoreOutcome> {
    return this.#run('cas', deadlineMs, () => {
      const current = this.#read(key);
      if (current === null) return { stored: false, reason: 'absent' };
      return current.cas === expected ? this.#store(key, item) : { stored: false, reason: 'exists' };
    });
  }

  async delete(key: string, expected?: bigint, deadlineMs: number = TIMEOUT_MS): Promise<boolean> {
    return this.#run('delete', deadlineMs, () => {
      const current = this.#read(key);
      return (
        current !== null && (expected === undefined || current.cas === expected) && this.items.delete(key)
      );
    });
  }

  async noop(deadlineMs: number = TIMEOUT_MS): Promise<void> {
    return this.#run('noop', deadlineMs, () => undefined);
  }

  async stats(deadlineMs: number = TIMEOUT_MS): Promise<ReadonlyMap<string, string>> {
    return this.#run('stats', deadlineMs, () => new Map([['curr_items', String(this.items.size)]]));
  }

  async close(): Promise<void> {
    this.fault = 'unreachable';
  }

  async #run<T>(operation: string, deadlineMs: number, work: () => T): Promise<T> {
    this.calls.set(operation, (this.calls.get(operation) ?? 0) + 1);
    await Promise.resolve();
    const isWrite = operation === 'add' || operation === 'cas';
    if (this.fault === null) return work();
    if (this.fault === 'unreachable' || this.fault === 'refused')
      throw new NodeError(this.index, operation, this.fault);
    if (this.fault === 'full') {
      if (isWrite) throw new NodeError(this.index, operation, 'out_of_memory');
      return work();
    }
    if (this.fault === 'lose answers') work();
    else if (isWrite) this.#late.push(work);
    await new Promise<void>((resolve) => this.#clock.after(deadlineMs, resolve));
    throw new NodeError(this.index, operation, 'timeout' satisfies NodeErrorKind);
  }

  #read(key: string): Stored | null {
    const item = this.items.get(key);
    if (item === undefined || item.expiresAt <= this.#clock.now()) return null;
    return item;
  }

  #store(key: string, item: NewItem): StoreOutcome {
    this.#cas += 1n;
    const { version, value, ttlSeconds } = item;
    this.items.set(key, {
      version,
      value,
      cas: this.#cas,
      expiresAt: this.#clock.now() + ttlSeconds * 1_000,
    });
    return { stored: true, cas: this.#cas };
  }

  #prolong(key: string, ttlSeconds: number): Stored | null {
    const item = this.#read(key);
    if (item === null) return null;
    const prolonged = { ...item, expiresAt: this.#clock.now() + ttlSeconds * 1_000 };
    this.items.set(key, prolonged);
    return prolonged;
  }
}
