/** The sessions that this instance holds: bounded by bytes and count, entered only after verification. */
import { LRUCache } from 'lru-cache';
import type { SessionRecord } from './ports.ts';

/** A session as this instance knows it. The record is verified and acknowledged. */
export interface Held {
  readonly record: SessionRecord;
  /** The home node's index. */
  index: number;
  /** How many nodes acknowledged this version; null when another instance wrote it. */
  copies: number | null;
  /** When the read that last confirmed it was sent, milliseconds. */
  confirmedAt: number;
  /** When its lifetime on the nodes was last renewed, as far as this instance knows; milliseconds. */
  touchedAt: number;
}

export interface CacheLimits {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Destroyed sessions that are remembered. */
const GONE_REMEMBERED = 10_000;
/** Bytes of an entry besides its data: keys, objects, numbers. */
const OVERHEAD_BYTES = 600;

export class SessionCache {
  readonly #sessions: LRUCache<string, Held>;
  readonly #gone = new LRUCache<string, true>({ max: GONE_REMEMBERED });
  /** Writes of this instance that are under way after their answer has left. */
  readonly #writes = new Map<string, Write>();

  constructor(limits: CacheLimits) {
    this.#sessions = new LRUCache<string, Held>({
      max: limits.maxEntries,
      maxSize: limits.maxBytes,
      sizeCalculation: sizeOf,
    });
  }

  get(id: string): Held | null {
    return this.#sessions.get(id) ?? null;
  }

  /** Keeps the newer of what is held and what comes, and gives it back; nothing of what was destroyed meanwhile. */
  put(held: Held): Held {
    const { id, version } = held.record;
    if (this.isGone(id)) return held;
    const before = this.#sessions.get(id);
    if (before !== undefined && before.record.version > version) return before;
    if (before !== undefined && before.record.version === version) {
      held.touchedAt = Math.max(held.touchedAt, before.touchedAt);
      held.copies ??= before.copies;
    }
    this.#sessions.set(id, held);
    return held;
  }

  drop(id: string): void {
    this.#sessions.delete(id);
  }

  /** Destroyed: ids are never used again, so it stays gone. */
  markGone(id: string): void {
    this.drop(id);
    this.#gone.set(id, true);
  }

  isGone(id: string): boolean {
    return this.#gone.get(id) === true;
  }

  /** The write of this session that is under way in the background, if there is one. */
  writing(id: string, now: number): Promise<unknown> | null {
    const write = this.#writes.size === 0 ? undefined : this.#writes.get(id);
    return write !== undefined && now < write.lostAt ? write.settled : null;
  }

  /** It counts as dead, together with the visit that began it, after `forMs` milliseconds. */
  trackWrite(id: string, work: Promise<unknown>, { now, forMs }: { now: number; forMs: number }): void {
    for (const [other, { lostAt }] of this.#writes) {
      if (now < lostAt) break;
      this.#writes.delete(other);
    }
    const settled = Promise.allSettled([this.writing(id, now), work]).then(() => {
      if (this.#writes.get(id) === write) this.#writes.delete(id);
    });
    const write: Write = { settled, lostAt: now + forMs };
    // Behind the others: those that are lost first stand first.
    this.#writes.delete(id);
    this.#writes.set(id, write);
  }
}

interface Write {
  readonly settled: Promise<unknown>;
  readonly lostAt: number;
}

/** Two bytes a character: what an engine needs at most. */
function sizeOf({ record }: Held): number {
  return OVERHEAD_BYTES + 2 * record.data.length + 80 * (record.changed?.size ?? 0);
}
