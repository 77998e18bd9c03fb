/** What the app has done to a session object, save by save. */
import type { DataCodec } from './codec.ts';
import {
  applyChanges,
  changedKeys,
  decodeData,
  decodeField,
  diffFields,
  fieldText,
  joinFields,
  isUnchanged,
  NO_CHANGES,
  NO_FIELDS,
  readFields,
  type Changes,
  type Fields,
} from './fields.ts';
import { replaceData, RESERVED_KEYS } from './session.ts';

/** What one save has found changed. */
export interface Taken {
  readonly changes: Changes;
}

/**
 * Saves follow each other, and the app goes on while they are under way. So each of them takes what has changed since
 * the one before it was called: compared with what is stored, a value that was changed and changed back would look as
 * if nothing had happened.
 */
export class Edits {
  readonly #object: object;
  readonly #codec: DataCodec;
  /** The object's fields when they were last read, or made what they are; at first, asked for only when needed. */
  #known: Fields | (() => Fields);
  /** Taken by saves that are under way or wait for their turn. */
  readonly #waiting = new Set<Taken>();
  /** Taken by saves that have failed: the next one stores it too. */
  #unsaved: Changes = NO_CHANGES;

  constructor(object: object, codec: DataCodec, known: () => Fields) {
    this.#object = object;
    this.#codec = codec;
    this.#known = known;
  }

  /**
   * What the app has changed since the last time, for a save that begins or waits.
   * @throws SessionError `data_not_serializable`, TypeError for a name that is reserved.
   */
  take(): Taken {
    const fields = readFields(this.#object, this.#codec, RESERVED_KEYS);
    const taken = { changes: diffFields(this.#fields, fields) };
    this.#known = fields;
    this.#waiting.add(taken);
    return taken;
  }

  /** All that a save has to store when its turn has come. */
  due({ changes }: Taken): Changes {
    return chain(this.#unsaved, changes);
  }

  /** A save is done; to say so again changes nothing. */
  settle(taken: Taken, { isStored }: { readonly isStored: boolean }): void {
    if (!this.#waiting.delete(taken)) return;
    this.#unsaved = isStored ? NO_CHANGES : chain(this.#unsaved, taken.changes);
  }

  /** Fields that others have changed enter the object. What the app has changed, saved yet or not, stays as it is. */
  show(stored: Fields): void {
    const own = new Set(
      [this.#unsaved, ...[...this.#waiting].map(({ changes }) => changes)].flatMap(changedKeys),
    );
    const known = new Map(this.#fields);
    for (const key of changedKeys(diffFields(known, stored))) {
      if (own.has(key) || fieldText(this.#object, key, this.#codec) !== known.get(key)) continue;
      const text = stored.get(key);
      if (text === undefined) {
        Reflect.deleteProperty(this.#object, key);
        known.delete(key);
      } else {
        Reflect.set(this.#object, key, decodeField(key, text, this.#codec));
        known.set(key, text);
      }
    }
    this.#known = known;
  }

  /** The object gets these fields, and those that waiting saves are about to store; what else has changed is dropped. */
  replace(stored: Fields): void {
    this.#unsaved = NO_CHANGES;
    const fields = [...this.#waiting].reduce((sum, { changes }) => applyChanges(sum, changes), stored);
    replaceData(this.#object, decodeData(joinFields(fields), this.#codec));
    this.#known = fields;
  }

  /** The object is emptied, and nothing of it is to be saved any more. */
  clear(): void {
    this.#waiting.clear();
    this.replace(NO_FIELDS);
  }

  get #fields(): Fields {
    if (typeof this.#known === 'function') this.#known = this.#known();
    return this.#known;
  }
}

/** One after the other. */
function chain(first: Changes, then: Changes): Changes {
  if (isUnchanged(first)) return then;
  const set = new Map(first.set);
  const deleted = new Set(first.deleted);
  for (const [key, text] of then.set) {
    set.set(key, text);
    deleted.delete(key);
  }
  for (const key of then.deleted) {
    set.delete(key);
    deleted.add(key);
  }
  return { set, deleted };
}
