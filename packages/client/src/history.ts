/** What a record remembers of the saves before it: their nonces, and when each field last changed. */
import { changedKeys, fieldsOf, type Changes, type Fields } from './fields.ts';
import type { SessionRecord } from './ports.ts';

/** Nonces that a record keeps of the saves before it. */
export const LOG_LENGTH = 8;
/** Deleted fields whose last change a record keeps. */
const DELETED_KEPT = 32;

/** Whether the record is, or comes after, the save of this name. Knows the last nine saves. */
export function includesSave(record: SessionRecord, nonce: string): boolean {
  return nonce !== '' && (record.nonce === nonce || record.log.includes(nonce));
}

/** The log of the save that comes after this record. */
export function nextLog(record: SessionRecord | null): readonly string[] {
  if (record === null || record.nonce === '') return [];
  return [record.nonce, ...record.log].slice(0, LOG_LENGTH);
}

/** The latest version in which the field may have changed. */
export function lastChange(record: SessionRecord, key: string): number {
  if (record.changed === null) return record.version;
  return record.changed.get(key) ?? record.cut;
}

export interface ForeignChanges {
  /** What the other record changed later than this one did. */
  readonly changes: Changes;
  /** Fields that both changed under one version, each in its own way. */
  readonly tied: readonly string[];
}

/**
 * What the other record has and this one does not come after: nothing, unless both go back to one that all nodes
 * had lost. Nobody can tell whether what it changed earlier than this one did was known here.
 */
export function foreignChanges(other: SessionRecord, record: SessionRecord): ForeignChanges {
  const set = new Map<string, string>();
  const deleted = new Set<string>();
  const tied: string[] = [];
  for (const [key, changedIn] of other.changed ?? []) {
    const last = lastChange(record, key);
    if (changedIn < last) continue;
    const text = fieldsOf(other).get(key);
    if (text === fieldsOf(record).get(key)) continue;
    if (changedIn === last) tied.push(key);
    else if (text === undefined) deleted.add(key);
    else set.set(key, text);
  }
  return { changes: { set, deleted }, tied };
}

/** Fields of acknowledged saves that this newer record lacks, because it goes back to one from before them. */
export function lostKeys(known: SessionRecord, newer: SessionRecord): readonly string[] {
  if (known.version > newer.version || includesSave(newer, known.nonce)) return [];
  const { changes, tied } = foreignChanges(known, newer);
  return [...changedKeys(changes), ...tied];
}

export interface ChangeHistory {
  readonly changed: ReadonlyMap<string, number>;
  readonly cut: number;
}

/** The history of the save `version` that leaves `fields`; forgets the oldest deletions. */
export function nextHistory(
  base: SessionRecord | null,
  changes: Changes,
  { version, fields }: { version: number; fields: Fields },
): ChangeHistory {
  const changed = new Map(base?.changed ?? []);
  if (base?.changed === null) for (const key of fields.keys()) changed.set(key, base.version);
  for (const key of changedKeys(changes)) changed.set(key, version);
  let cut = base === null ? 0 : base.changed === null ? base.version : base.cut;
  const deleted = [...changed].filter(([key]) => !fields.has(key)).toSorted((a, b) => b[1] - a[1]);
  for (const [key, changedIn] of deleted.slice(DELETED_KEPT)) {
    changed.delete(key);
    cut = Math.max(cut, changedIn);
  }
  return { changed, cut };
}
