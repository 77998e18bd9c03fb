/** How a session goes on under another id, with all that is saved under the old one until then. */
import type { Held } from './cache.ts';
import type { Draft } from './committer.ts';
import { conflictingKeys } from './conflict.ts';
import type { SessionUnavailableError } from './errors.ts';
import { applyChanges, diffFields, fieldsOf } from './fields.ts';
import type { Parts } from './parts.ts';
import { type SaveJob, tooOften } from './saver.ts';

/** How often others may save under an id while it is being ended. */
const ROUNDS = 40;
/** Tries to end it while nobody knows whether it has ended. */
const TRIES = 3;

/** The session under its new id. */
export interface Moved {
  readonly held: Held;
  /** Why nobody knows whether the old one has ended; null when it has. */
  readonly outage: SessionUnavailableError | null;
}

export class Mover<T extends object> {
  readonly #parts: Parts<T>;

  constructor(parts: Parts<T>) {
    this.#parts = parts;
  }

  /**
   * Stores the draft under the new id, and then lets nobody save under the old one any more.
   * @throws SessionUnavailableError, and what the draft throws: nothing has changed.
   */
  async move(old: Held | null, id: string, draft: Draft): Promise<Moved> {
    const fields = await draft(old?.record ?? null, false);
    const stored = await this.#store({ id, base: null, index: null, fields });
    return old === null ? { held: stored, outage: null } : this.#takeAlong(old, stored, draft);
  }

  /** The old one ends once the new one has all that was saved there. */
  async #takeAlong(old: Held, stored: Held, draft: Draft): Promise<Moved> {
    const { engine, saver } = this.#parts;
    let held = stored;
    let last: Pick<Held, 'record' | 'index'> = old;
    let failures = 0;
    try {
      for (let round = 1; round <= ROUNDS; round += 1) {
        const end = await saver.end(last.record, last.index);
        if (end.kind === 'ended') return { held, outage: null };
        if (end.kind === 'unavailable') {
          failures += 1;
          // It may have ended: then the new one is all there is.
          if (failures === TRIES) return { held, outage: end.error };
          continue;
        }
        const keys = conflictingKeys(old.record, fieldsOf(stored.record), end.record);
        engine.emit({ type: 'conflict', version: end.record.version, round, keys });
        const fields = await draft(end.record, true);
        held = await this.#store({ id: held.record.id, base: held.record, index: held.index, fields });
        last = end;
      }
      throw tooOften();
    } catch (error) {
      // Nobody knows the new id yet, and the old one goes on.
      const { record, index } = held;
      engine.memory.cache.markGone(record.id);
      await engine.remote.destroy({ id: record.id, index }).catch(ignore);
      throw error;
    }
  }

  async #store(job: Pick<SaveJob, 'id' | 'base' | 'index' | 'fields'>): Promise<Held> {
    const changes = diffFields(fieldsOf(job.base), job.fields);
    const saved = await this.#parts.saver.save({
      ...job,
      rebase: async (newer) => applyChanges(fieldsOf(newer), changes),
      canRestore: () => job.base !== null,
    });
    if (saved.kind === 'unavailable') throw saved.error;
    return saved.held;
  }
}

function ignore(): void {
  // It is told with later requests.
}
