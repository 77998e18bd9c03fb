/** A memcached process of the simulation: its memory and its rules. */
import {
  type Item,
  type NewItem,
  NodeError,
  type StoreOutcome,
  type Touched,
} from '../../packages/bridge/src/node.ts';
import { Machine } from './machine.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

interface Stored extends Item {
  readonly expiresAt: number;
}

export class Memcached {
  readonly index: number;
  readonly machine: Machine;
  readonly #scheduler: Scheduler;
  readonly #items: Map<string, Stored> = new Map();
  #cas = 0n;
  /** Refuses whatever needs memory. */
  isFull = false;

  constructor(index: number, scheduler: Scheduler) {
    this.index = index;
    this.machine = new Machine(`node ${index}`, scheduler);
    this.#scheduler = scheduler;
    this.machine.start();
  }

  /** Ends the process; its memory is gone. */
  kill(): void {
    this.machine.kill();
    this.#items.clear();
    this.#cas = 0n;
  }

  restart(): void {
    this.machine.start();
  }

  /** Every key of a session with what is there. */
  *sessions(): Iterable<[key: string, item: Item]> {
    for (const [key] of this.#items) {
      const item = this.#live(key);
      if (item !== null && key.includes(':')) yield [key, item];
    }
  }

  /** Forgets some sessions, as when memory is short. */
  evict(share: number, random: Random): void {
    for (const key of [...this.#items.keys()]) {
      if (key.includes(':') && random.chance(share)) this.#items.delete(key);
    }
  }

  gets(key: string): Item | null {
    return this.#live(key);
  }

  /** What is under some other key. */
  getsAnother(key: string): Item | null {
    for (const [other, item] of this.sessions()) if (other !== key) return item;
    return this.gets(key);
  }

  touch(key: string, ttlSeconds: number): (Touched & Item) | null {
    const item = this.#live(key);
    if (item === null) return null;
    const touched = { ...item, expiresAt: this.#expiry(ttlSeconds) };
    this.#items.set(key, touched);
    return touched;
  }

  add(key: string, item: NewItem): StoreOutcome {
    if (this.#live(key) !== null) return { stored: false, reason: 'exists' };
    return this.#store(key, item);
  }

  cas(key: string, item: NewItem, expected: bigint): StoreOutcome {
    const current = this.#live(key);
    if (current === null) return { stored: false, reason: 'absent' };
    if (current.cas !== expected) return { stored: false, reason: 'exists' };
    return this.#store(key, item);
  }

  delete(key: string, expected?: bigint): boolean {
    const current = this.#live(key);
    if (current === null || (expected !== undefined && current.cas !== expected)) return false;
    return this.#items.delete(key);
  }

  #store(key: string, { version, value, ttlSeconds }: NewItem): StoreOutcome {
    // Marks are small: memory that has no room for a record has room for them.
    if (this.isFull && key.includes(':')) throw new NodeError(this.index, 'store', 'out_of_memory');
    this.#cas += 1n;
    this.#items.set(key, { version, value, cas: this.#cas, expiresAt: this.#expiry(ttlSeconds) });
    return { stored: true, cas: this.#cas };
  }

  #live(key: string): Stored | null {
    const item = this.#items.get(key);
    return item === undefined || item.expiresAt <= this.#scheduler.now ? null : item;
  }

  #expiry(ttlSeconds: number): number {
    return this.#scheduler.now + ttlSeconds * 1_000;
  }
}
