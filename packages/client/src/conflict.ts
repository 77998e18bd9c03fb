/** What is stored when another save came first. */
import { isPlainObject, type DataCodec } from './codec.ts';
import { SessionError } from './errors.ts';
import {
  applyChanges,
  changedKeys,
  decodeData,
  diffFields,
  fieldsOf,
  joinFields,
  readFields,
  type Fields,
} from './fields.ts';
import type { SessionOptions } from './options.ts';
import type { SessionRecord } from './ports.ts';
import { RESERVED_KEYS } from './session.ts';

export interface ConflictingSave<T extends object> {
  /** What the save started from; null when nothing was stored. */
  readonly base: SessionRecord | null;
  /** What it wants to store. */
  readonly mine: Fields;
  readonly policy: NonNullable<SessionOptions<T>['onConflict']>;
  readonly codec: DataCodec;
}

/**
 * The fields to store on top of the newer record.
 * @throws SessionError `conflict` when they are not to be merged.
 */
export async function resolveConflict<T extends object>(
  { base, mine, policy, codec }: ConflictingSave<T>,
  newer: SessionRecord,
): Promise<Fields> {
  if (policy === 'reject') throw new SessionError('conflict');
  if (policy === 'merge') return applyChanges(fieldsOf(newer), diffFields(fieldsOf(base), mine));
  // What was stored under the app's own type comes back as it; each field may be absent.
  const typed = (data: string): Partial<T> => decodeData(data, codec) as Partial<T>;
  const resolved: unknown = await policy({
    base: base === null ? {} : typed(base.data),
    mine: typed(joinFields(mine)),
    theirs: typed(newer.data),
  });
  if (!isPlainObject(resolved))
    throw new TypeError('onConflict must return the data to store, a plain object.');
  return readFields(resolved, codec, RESERVED_KEYS);
}

/** Fields that both sides have changed, each since the base. */
export function conflictingKeys(base: SessionRecord | null, mine: Fields, newer: SessionRecord): string[] {
  const before = fieldsOf(base);
  const theirs = new Set(changedKeys(diffFields(before, fieldsOf(newer))));
  return changedKeys(diffFields(before, mine)).filter((key) => theirs.has(key));
}
