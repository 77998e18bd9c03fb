/** How data that the browser carried through an outage comes back to the nodes. */
import type { Held } from './cache.ts';
import { planReturn, restoringRecord, returningRecord, type Carried } from './carried.ts';
import type { Engine } from './engine.ts';
import { SessionUnavailableError } from './errors.ts';
import { includesSave } from './history.ts';
import type { Holdings } from './holdings.ts';
import type { SessionLoader } from './loader.ts';
import type { SessionRecord } from './ports.ts';
import type { Loaded } from './recovery.ts';
import type { Condition } from './remote.ts';

/** Writes before it is left to the next request: others may be writing the same session. */
const ATTEMPTS = 6;

export class Homecoming<T extends object> {
  readonly #engine: Engine<T>;
  readonly #holdings: Holdings<T>;
  readonly #loader: SessionLoader<T>;

  constructor(engine: Engine<T>, holdings: Holdings<T>, loader: SessionLoader<T>) {
    this.#engine = engine;
    this.#holdings = holdings;
    this.#loader = loader;
  }

  /**
   * The session with the carried data in it, stored; `unavailable` while that cannot be done, and then the
   * cookie's data is what there is. `isFresh`: what is held counts for nothing until a bridge has confirmed it.
   */
  async bringHome(carried: Carried, { index, isFresh = false }: BringHomeOptions): Promise<Loaded> {
    const { id } = carried.record;
    const known = isFresh ? null : this.#holdings.trusted({ id, floor: 0 });
    if (known !== null && includesSave(known.record, carried.record.nonce)) return found(known);
    this.#dropOlder(carried);
    // It may be cached: what is older than what is stored is found out by the write.
    const loaded = await this.#loader.load({ id, index, floor: 0 }, { isFresh });
    if (loaded.kind === 'absent') return this.#store(carried, index, null);
    if (loaded.kind !== 'found') return loaded;
    const { held, isStale } = loaded;
    if (!isStale) return this.#store(carried, index, held);
    return includesSave(held.record, carried.record.nonce) ? loaded : unavailable();
  }

  /** What is older than the ground of the carried data must not be brought back in its place. */
  #dropOlder({ record, base }: Carried): void {
    const held = this.#holdings.living(record.id);
    if (held !== null && held.record.version < base) this.#engine.memory.cache.drop(record.id);
  }

  async #store(carried: Carried, index: number | null, held: Held | null): Promise<Loaded> {
    const { id } = carried.record;
    let stored: Stored | null = held === null ? null : { ...held, sentAt: held.confirmedAt };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const next = this.#next(carried, stored);
      if (next.kind === 'done') return found(this.#hold(next.stored));
      const ref = { id, index: stored?.index ?? index };
      const outcome = await this.#engine.remote.write(ref, next.record, next.condition);
      if (outcome.kind === 'stored') {
        this.#engine.emit({ type: 'restore', version: next.record.version, reason: 'cookie' });
        return found(this.#holdings.stored(next.record, outcome));
      }
      if (outcome.kind === 'gone') this.#engine.memory.cache.markGone(id);
      if (outcome.kind !== 'conflict' && outcome.kind !== 'absent') return outcome;
      stored = outcome.kind === 'conflict' ? outcome : null;
    }
    return unavailable();
  }

  #next(carried: Carried, stored: Stored | null): Next {
    if (stored === null) return { kind: 'write', record: restoringRecord(carried), condition: 'absent' };
    const plan = planReturn(carried, stored.record);
    if (plan.kind !== 'included' && plan.lost.length > 0) {
      this.#engine.emit({ type: 'conflict', version: stored.record.version, round: 0, keys: plan.lost });
    }
    if (plan.kind !== 'write') return { kind: 'done', stored };
    const condition = { ifVersion: stored.record.version };
    return { kind: 'write', record: returningRecord(carried, stored.record, plan), condition };
  }

  /** Others have already brought it home, or have overwritten it. */
  #hold(stored: Stored): Held {
    const wanted = { id: stored.record.id, index: stored.index, floor: 0 };
    return this.#holdings.accept(wanted, { ...stored, isTouch: false });
  }
}

export interface BringHomeOptions {
  /** The home as the cookie has it. */
  readonly index: number | null;
  readonly isFresh?: boolean;
}

interface Stored {
  readonly record: SessionRecord;
  readonly index: number;
  /** When the request was sent that showed it. */
  readonly sentAt: number;
}

type Next =
  | { readonly kind: 'write'; readonly record: SessionRecord; readonly condition: Condition }
  /** What is stored has the carried data, or newer. */
  | { readonly kind: 'done'; readonly stored: Stored };

function found(held: Held): Loaded {
  return { kind: 'found', held, source: 'bridge', isStale: false };
}

function unavailable(): Loaded {
  return { kind: 'unavailable', error: new SessionUnavailableError('bridge_unavailable') };
}
