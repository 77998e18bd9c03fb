/** What the nodes have lost and this instance still holds is backed up again. */
import type { Held } from './cache.ts';
import type { Engine } from './engine.ts';
import type { SessionUnavailableError } from './errors.ts';
import { nextLog } from './history.ts';
import type { Holdings, Wanted } from './holdings.ts';
import { newNonce } from './identifiers.ts';
import type { SessionRecord } from './ports.ts';
import type { Condition } from './remote.ts';

export type Loaded =
  | {
      readonly kind: 'found';
      readonly held: Held;
      readonly source: 'cache' | 'bridge';
      /** Whether an outage kept it from being confirmed. */
      readonly isStale: boolean;
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'rejected' }
  | { readonly kind: 'unavailable'; readonly error: SessionUnavailableError };

/** Writes before recovery gives up: others may be recovering the same session. */
const ATTEMPTS = 4;

export class Recovery<T extends object> {
  readonly #engine: Engine<T>;
  readonly #holdings: Holdings<T>;

  constructor(engine: Engine<T>, holdings: Holdings<T>) {
    this.#engine = engine;
    this.#holdings = holdings;
  }

  /** After an answer that the nodes have nothing, or only an older version. */
  async recover(wanted: Wanted, condition: Condition): Promise<Loaded> {
    const { cache } = this.#engine.memory;
    const held = this.#holdings.living(wanted.id);
    if (held !== null && held.record.version >= wanted.floor) return this.#restore(wanted, held, condition);
    cache.drop(wanted.id);
    if (condition !== 'absent') return this.rejectBelowFloor();
    // Nobody remembers it: another instance that still holds the session may be restoring it.
    return { kind: 'absent' };
  }

  /** The nodes certainly have less than this browser has seen. */
  rejectBelowFloor(): Loaded {
    this.#engine.emit({ type: 'rejected', what: 'record', reason: 'below_floor' });
    return { kind: 'rejected' };
  }

  async #restore(wanted: Wanted, held: Held, first: Condition): Promise<Loaded> {
    const { memory, remote, emit } = this.#engine;
    const record = this.#nextOf(held.record);
    let condition = first;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const outcome = await remote.write({ id: wanted.id, index: held.index }, record, condition);
      if (outcome.kind === 'stored') {
        const stored = this.#holdings.stored(record, outcome);
        emit({
          type: 'restore',
          version: record.version,
          reason: condition === 'absent' ? 'absent' : 'older',
        });
        return { kind: 'found', held: stored, source: 'cache', isStale: false };
      }
      if (outcome.kind === 'unavailable') return { kind: 'found', held, source: 'cache', isStale: true };
      if (outcome.kind === 'gone') memory.cache.markGone(wanted.id);
      if (outcome.kind === 'gone' || outcome.kind === 'rejected') return outcome;
      if (outcome.kind === 'conflict' && outcome.record.version >= held.record.version) {
        const accepted = this.#holdings.accept(wanted, { ...outcome, isTouch: false });
        return { kind: 'found', held: accepted, source: 'bridge', isStale: false };
      }
      condition = outcome.kind === 'absent' ? 'absent' : { ifVersion: outcome.record.version };
    }
    return { kind: 'found', held, source: 'cache', isStale: true };
  }

  /** The same data under the next version. */
  #nextOf(lost: SessionRecord): SessionRecord {
    return {
      ...lost,
      version: lost.version + 1,
      savedAt: this.#engine.nowSeconds(),
      nonce: newNonce(this.#engine.options.random),
      log: nextLog(lost),
    };
  }
}
