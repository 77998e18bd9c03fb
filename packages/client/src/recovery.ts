/** What the nodes have lost and this instance still holds is backed up again. */
import type { Held } from './cache.ts';
import type { Engine } from './engine.ts';
import { SessionUnavailableError } from './errors.ts';
import { applyChanges, fieldsOf, joinFields, NO_CHANGES } from './fields.ts';
import { foreignChanges, nextHistory, nextLog } from './history.ts';
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

/** Seconds for which a record that is below the floor may still be followed by a newer one. */
const BEHIND_SECONDS = 30;
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
  async recover(wanted: Wanted, older: SessionRecord | null): Promise<Loaded> {
    const { cache } = this.#engine.memory;
    const held = this.#holdings.living(wanted.id);
    if (held !== null && held.record.version >= wanted.floor) return this.#restore(wanted, held, older);
    cache.drop(wanted.id);
    if (older !== null) return this.rejectBelowFloor(older);
    // Nobody remembers it: another instance that still holds the session may be restoring it.
    return { kind: 'absent' };
  }

  /**
   * The nodes certainly have less than this browser has seen. If that was saved just now, they have lost their
   * memory and an instance has brought back what it had: one that has more may be about to. Nobody can know then;
   * but not for ever, because that one may have ended.
   */
  rejectBelowFloor({ savedAt }: SessionRecord): Loaded {
    const { emit, nowSeconds } = this.#engine;
    emit({ type: 'rejected', what: 'record', reason: 'below_floor' });
    // The other instance's clock may be wrong, in both directions.
    if (Math.abs(nowSeconds() - savedAt) >= BEHIND_SECONDS) return { kind: 'rejected' };
    const detail = 'They have less than this browser has seen.';
    return { kind: 'unavailable', error: new SessionUnavailableError('nodes_unavailable', detail) };
  }

  async #restore(wanted: Wanted, held: Held, first: SessionRecord | null): Promise<Loaded> {
    const { memory, remote, emit } = this.#engine;
    let older = first;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const record = this.#nextOf(held.record, older);
      const condition: Condition = older === null ? 'absent' : { ifVersion: older.version };
      const outcome = await remote.write({ id: wanted.id, index: held.index }, record, condition);
      if (outcome.kind === 'stored') {
        const stored = this.#holdings.stored(record, outcome);
        emit({ type: 'restore', version: record.version, reason: older === null ? 'absent' : 'older' });
        if (older !== null) this.#holdings.reportLost(older, record);
        return { kind: 'found', held: stored, source: 'cache', isStale: false };
      }
      if (outcome.kind === 'unavailable') return { kind: 'found', held, source: 'cache', isStale: true };
      if (outcome.kind === 'gone') memory.cache.markGone(wanted.id);
      if (outcome.kind === 'gone' || outcome.kind === 'rejected') return outcome;
      if (outcome.kind === 'conflict' && outcome.record.version >= held.record.version) {
        const accepted = this.#holdings.accept(wanted, { ...outcome, isTouch: false });
        return { kind: 'found', held: accepted, source: 'bridge', isStale: false };
      }
      older = outcome.kind === 'absent' ? null : outcome.record;
    }
    return { kind: 'found', held, source: 'cache', isStale: true };
  }

  /** The same data under the next version, with what was saved on top of the older record meanwhile. */
  #nextOf(lost: SessionRecord, older: SessionRecord | null): SessionRecord {
    const version = lost.version + 1;
    const changes = older === null ? NO_CHANGES : foreignChanges(older, lost).changes;
    const fields = applyChanges(fieldsOf(lost), changes);
    return {
      ...lost,
      version,
      savedAt: this.#engine.nowSeconds(),
      nonce: newNonce(this.#engine.options.random),
      log: nextLog(lost),
      ...nextHistory(lost, changes, { version, fields }),
      data: joinFields(fields),
    };
  }
}
