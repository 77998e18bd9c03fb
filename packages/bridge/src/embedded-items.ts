/** The memory of an embedded node: items with lifetimes and CAS numbers, the least recently used go first. */
import type { Clock } from './node.ts';

/** One item as it is kept. */
export interface StoredItem {
  readonly flags: number;
  readonly value: Buffer;
  readonly cas: bigint;
  /** {@link Clock.now} from which on it is no longer there. */
  readonly expiresAt: number;
}

export type StoreMode = 'set' | 'add' | 'replace';

export interface StoreRequest {
  readonly mode: StoreMode;
  readonly flags: number;
  readonly value: Buffer;
  /** As on the wire: 0 for ever, up to 30 days relative, seconds since 1970 beyond. */
  readonly ttl: number;
  /** Not 0: only this state of the item is replaced, whatever the mode. */
  readonly cas: bigint;
}

export type StoreResult =
  | { readonly outcome: 'stored'; readonly cas: bigint }
  | { readonly outcome: 'exists' | 'absent' | 'too_large' | 'out_of_memory' };

export interface ItemMemoryOptions {
  readonly clock: Clock;
  /** Seconds since 1970, for absolute expiry times. */
  readonly epochSeconds: () => number;
  /** All items together, with what memcached needs beside key and value. */
  readonly maxBytes: number;
  readonly maxItemBytes: number;
  /** False: a full memory refuses new items, as memcached does with -M. */
  readonly isEvicting: boolean;
}

export interface ItemCounts {
  readonly items: number;
  readonly bytes: number;
  readonly evictions: number;
  readonly totalItems: number;
}

/** What memcached needs for an item beside key and value; four more when it has flags. */
const ITEM_HEADER_BYTES = 59;
const FLAGS_BYTES = 4;
/** Lifetimes beyond are points in time. */
const RELATIVE_SECONDS = 2_592_000;

/** Behaves as memcached does, in what a client can tell; its clock is exact where memcached's ticks seconds. */
export class ItemMemory {
  readonly #options: ItemMemoryOptions;
  /** In the order of use, the least recent first. */
  readonly #items: Map<string, StoredItem> = new Map();
  #bytes = 0;
  #lastCas = 0n;
  #evictions = 0;
  #totalItems = 0;

  constructor(options: ItemMemoryOptions) {
    this.#options = options;
  }

  get counts(): ItemCounts {
    return {
      items: this.#items.size,
      bytes: this.#bytes,
      evictions: this.#evictions,
      totalItems: this.#totalItems,
    };
  }

  /** The item, which counts as used. */
  get(key: string): StoredItem | undefined {
    const item = this.#peek(key);
    if (item === undefined) return undefined;
    this.#items.delete(key);
    this.#items.set(key, item);
    return item;
  }

  /** Gives the item a new lifetime. Its CAS number stays. */
  touch(key: string, ttl: number): StoredItem | undefined {
    const item = this.get(key);
    if (item === undefined) return undefined;
    const touched = { ...item, expiresAt: this.#expiresAt(ttl) };
    this.#items.set(key, touched);
    return touched;
  }

  store(key: string, request: StoreRequest): StoreResult {
    const size = sizeOf(key, request);
    const refusal = size > this.#options.maxItemBytes ? 'too_large' : this.#makeRoom(size);
    if (refusal !== null) {
      // What memcached does: the old item would be stale, so it goes.
      if (request.mode === 'set') this.#remove(key);
      return { outcome: refusal };
    }
    const current = this.#peek(key);
    const conflict = findConflict(request, current);
    if (conflict !== null) return { outcome: conflict };
    this.#remove(key);
    this.#lastCas += 1n;
    this.#totalItems += 1;
    const { flags, value, ttl } = request;
    this.#items.set(key, { flags, value, cas: this.#lastCas, expiresAt: this.#expiresAt(ttl) });
    this.#bytes += size;
    return { outcome: 'stored', cas: this.#lastCas };
  }

  /** With a CAS number other than 0, deletes exactly that state. */
  delete(key: string, cas: bigint): 'deleted' | 'exists' | 'absent' {
    const item = this.#peek(key);
    if (item === undefined) return 'absent';
    if (cas !== 0n && cas !== item.cas) return 'exists';
    this.#remove(key);
    return 'deleted';
  }

  /** Forgets all items. CAS numbers go on from where they are. */
  clear(): void {
    this.#items.clear();
    this.#bytes = 0;
  }

  #peek(key: string): StoredItem | undefined {
    const item = this.#items.get(key);
    if (item === undefined || this.#options.clock.now() < item.expiresAt) return item;
    this.#remove(key);
    return undefined;
  }

  #remove(key: string): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    this.#items.delete(key);
    this.#bytes -= sizeOf(key, item);
  }

  /** Frees memory for so many bytes, or tells why not. */
  #makeRoom(size: number): 'out_of_memory' | null {
    const { maxBytes, isEvicting } = this.#options;
    if (this.#bytes + size <= maxBytes) return null;
    const now = this.#options.clock.now();
    for (const [key, item] of this.#items) {
      if (this.#bytes + size <= maxBytes) return null;
      const hasExpired = now >= item.expiresAt;
      if (!hasExpired && !isEvicting) continue;
      if (!hasExpired) this.#evictions += 1;
      this.#remove(key);
    }
    return this.#bytes + size <= maxBytes ? null : 'out_of_memory';
  }

  #expiresAt(ttl: number): number {
    if (ttl === 0) return Number.POSITIVE_INFINITY;
    const seconds = ttl <= RELATIVE_SECONDS ? ttl : ttl - this.#options.epochSeconds();
    return this.#options.clock.now() + seconds * 1_000;
  }
}

function findConflict(request: StoreRequest, current: StoredItem | undefined): 'exists' | 'absent' | null {
  if (request.cas !== 0n) {
    if (current === undefined) return 'absent';
    return current.cas === request.cas ? null : 'exists';
  }
  if (request.mode === 'add' && current !== undefined) return 'exists';
  if (request.mode === 'replace' && current === undefined) return 'absent';
  return null;
}

function sizeOf(key: string, item: { readonly flags: number; readonly value: Buffer }): number {
  return ITEM_HEADER_BYTES + (item.flags === 0 ? 0 : FLAGS_BYTES) + key.length + item.value.length;
}
