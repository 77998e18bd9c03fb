/** What this instance holds, seen through the lifetimes, and how answers from the bridges enter it. */
import type { Held } from './cache.ts';
import type { Engine } from './engine.ts';
import { lostKeys } from './history.ts';
import type { SessionRecord } from './ports.ts';

/** Where to look and what to demand. */
export interface Wanted {
  readonly id: string;
  /** The home as the browser's cookie has it. */
  readonly index: number | null;
  /** The lowest version that may be shown; 0 for any. */
  readonly floor: number;
}

/** An answer that showed a record. */
export interface Shown {
  readonly record: SessionRecord;
  readonly index: number;
  /** When the request was sent, milliseconds. */
  readonly sentAt: number;
  /** Whether it renewed the idle lifetime. */
  readonly isTouch: boolean;
}

/** An answer that showed that what is held is still so. */
export type Confirmation = Omit<Shown, 'record' | 'index'> & { readonly index: number | null };

export class Holdings<T extends object> {
  readonly #engine: Engine<T>;

  constructor(engine: Engine<T>) {
    this.#engine = engine;
  }

  /** The session when it may be shown without asking anybody. */
  trusted({ id, floor }: Pick<Wanted, 'id' | 'floor'>): Held | null {
    const { cache } = this.#engine.memory;
    const held = cache.get(id);
    if (held === null || held.record.version < floor) return null;
    const now = this.#engine.clock.now();
    if (cache.writing(id, now) !== null) return null;
    if (now - held.confirmedAt >= this.#engine.options.maxStaleMs) return null;
    // Nodes forget what is not touched: long before that, the next use is a read that touches.
    if (now - held.touchedAt > this.#idleMs() / 2) return null;
    return this.#isOver(held.record) ? null : held;
  }

  /** The session unless one of its lifetimes is over. */
  living(id: string): Held | null {
    const held = this.#engine.memory.cache.get(id);
    return held !== null && this.isLiving(held) ? held : null;
  }

  isLiving(held: Held): boolean {
    const isIdle = this.#engine.clock.now() - held.touchedAt > this.#idleMs();
    return !isIdle && !this.#isOver(held.record);
  }

  /** Holds what a bridge has shown; gives back what is newest. */
  accept(wanted: Wanted, { record, index, sentAt, isTouch }: Shown): Held {
    const { cache } = this.#engine.memory;
    const known = cache.get(wanted.id);
    const savedAt = Math.min(record.savedAt * 1000, sentAt);
    const touchedAt = isTouch ? sentAt : Math.max(savedAt, known?.touchedAt ?? 0);
    const held = cache.put({ record, index, copies: null, confirmedAt: sentAt, touchedAt });
    if (known !== null) this.reportLost(known.record, record);
    if (known === null) this.#engine.emit({ type: 'takeover', version: record.version, home: index });
    this.#reportMove(known?.index ?? wanted.index, held);
    return held;
  }

  /** Notes that what is held has not changed; gives back what is newest. */
  confirm(held: Held, { index, sentAt, isTouch }: Confirmation): Held {
    const before = held.index;
    held.index = index ?? held.index;
    held.confirmedAt = Math.max(held.confirmedAt, sentAt);
    if (isTouch) held.touchedAt = Math.max(held.touchedAt, sentAt);
    this.#reportMove(before, held);
    // A save of this instance may have overtaken the read.
    return this.#engine.memory.cache.put(held);
  }

  /** Holds what this instance has just stored. */
  stored(
    record: SessionRecord,
    { index, copies, sentAt }: Pick<Held, 'index' | 'copies'> & { readonly sentAt: number },
  ): Held {
    const { cache } = this.#engine.memory;
    const known = cache.get(record.id);
    if (known !== null) this.reportLost(known.record, record);
    const from = known?.index ?? null;
    // It was so when it was stored; it may have been destroyed since.
    const held = cache.put({ record, index, copies, confirmedAt: sentAt, touchedAt: sentAt });
    this.#reportMove(from, held);
    return held;
  }

  /** Says which acknowledged changes are missing in a record that took the place of another one. */
  reportLost(before: SessionRecord, record: SessionRecord): void {
    const keys = lostKeys(before, record);
    if (keys.length > 0) this.#engine.emit({ type: 'conflict', version: record.version, round: 0, keys });
  }

  #reportMove(from: number | null, { index, record }: Held): void {
    if (from === null || from === index) return;
    this.#engine.emit({ type: 'relocate', version: record.version, from, to: index });
  }

  #isOver(record: SessionRecord): boolean {
    return record.startedAt < this.#engine.remote.startedAfter();
  }

  #idleMs(): number {
    return this.#engine.options.ttl * 1000;
  }
}
