/** Data that rides in the browser's cookie during an outage: what is sealed, and how it may come back. */
import { applyChanges, changedKeys, fieldsOf, joinFields, type Changes, type Fields } from './fields.ts';
import { includesSave, lastChange, LOG_LENGTH, nextHistory, nextLog } from './history.ts';
import type { SessionRecord } from './ports.ts';
import { LIMITS } from './protocol.ts';
import { isObject, isWhole, readChanged, readLog } from './record.ts';

/** A save that no node has acknowledged; successive ones accumulate on the same base. */
export interface Carried {
  /** The whole data, under the version and the nonce that the save was tried with. */
  readonly record: SessionRecord;
  /** The stored version it is based on; 0 when nothing had been stored. */
  readonly base: number;
  /** Field → version of its last change since then, deleted fields too. */
  readonly changes: ReadonlyMap<string, number>;
}

/** What is carried once `record` could not be stored on top of `before`. */
export function carry(
  record: SessionRecord,
  before: Carried | SessionRecord | null,
  changes: Changes,
): Carried {
  const earlier = before !== null && 'record' in before ? before : null;
  const base = earlier?.base ?? (before !== null && 'version' in before ? before.version : 0);
  const versions = new Map(earlier?.changes ?? []);
  for (const key of changedKeys(changes)) versions.set(key, record.version);
  const log = earlier === null ? record.log : [earlier.record.nonce, ...earlier.record.log];
  return { record: { ...record, log: log.slice(0, LONGEST_LOG) }, base, changes: versions };
}

/**
 * Carried saves that are known again. Any of them may have reached the nodes, so a long outage needs a longer
 * log than a stored record has.
 */
const LONGEST_LOG = 64;

/** What is sealed into the cookie; {@link readCarried} is its reverse. */
export function writeCarried({ record, base, changes }: Carried, app: string): object {
  return {
    id: record.id,
    app,
    base,
    ver: record.version,
    // The record's data is always the text of one object.
    data: JSON.parse(record.data) as object,
    chg: Object.fromEntries(changes),
    ini: record.startedAt,
    iat: record.savedAt,
    jti: record.nonce,
    log: record.log,
    ...(record.codec === 'json' ? {} : { cdc: record.codec }),
  };
}

/** What an unsealed cookie carries for this id and app, or null. */
export function readCarried(payload: unknown, { id, app }: { id: string; app: string }): Carried | null {
  if (!isObject(payload) || payload['id'] !== id || payload['app'] !== app) return null;
  const { base, ver, data, chg, ini, iat, jti, log, cdc = 'json' } = payload;
  const changes = readChanged(chg);
  if (!isWhole(base, LIMITS.version) || !isWhole(ver, LIMITS.version) || ver <= base) return null;
  if (!isWhole(ini) || !isWhole(iat) || !isObject(data) || changes === null) return null;
  if (typeof jti !== 'string' || jti === '' || typeof cdc !== 'string') return null;
  // Nothing is known of fields that were left alone, except that they are from the base or before.
  const changed = new Map(Object.keys(data).map((key) => [key, base]));
  for (const [key, version] of changes) changed.set(key, version);
  const record: SessionRecord = {
    id,
    version: ver,
    savedAt: iat,
    startedAt: ini,
    nonce: jti,
    log: readLog(log, LONGEST_LOG),
    changed,
    cut: base,
    codec: cdc,
    data: JSON.stringify(data),
  };
  return { record, base, changes };
}

/** What is to be done with carried data when a node has this record. */
export type ReturnPlan =
  /** The record has it already. */
  | { readonly kind: 'included' }
  /** Everything it would change has been changed by others since. */
  | { readonly kind: 'superseded'; readonly lost: readonly string[] }
  /** These fields are to be stored on top of the record; `lost` are those that others changed since. */
  | {
      readonly kind: 'write';
      readonly fields: Fields;
      readonly changes: Changes;
      readonly version: number;
      readonly lost: readonly string[];
    };

/**
 * A field returns only when nobody has changed it since the base: so an old cookie, sent again, can never put
 * old values over newer ones.
 */
export function planReturn(carried: Carried, stored: SessionRecord): ReturnPlan {
  const { record } = carried;
  if (includesSave(stored, record.nonce)) return { kind: 'included' };
  const applied = appliedSaves(carried, stored);
  const version = Math.max(stored.version + 1, record.version);
  if (stored.version < carried.base || isBase(carried, stored, applied)) {
    return { kind: 'write', fields: fieldsOf(record), changes: changesAfter(carried, 0), version, lost: [] };
  }
  const wanted = changesAfter(carried, applied.carried);
  const lost = changedKeys(wanted).filter((key) => lastChange(stored, key) > applied.stored);
  const kept = without(wanted, lost);
  if (changedKeys(kept).length === 0) return { kind: 'superseded', lost };
  return { kind: 'write', fields: applyChanges(fieldsOf(stored), kept), changes: kept, version, lost };
}

/** The record with which carried data returns when no node has anything. */
export function restoringRecord({ record }: Carried): SessionRecord {
  return { ...record, log: record.log.slice(0, LOG_LENGTH) };
}

/**
 * The record with which carried data returns: it keeps the carried nonce, so that parallel requests with the
 * same cookie know it again.
 */
export function returningRecord(
  carried: Carried,
  stored: SessionRecord,
  plan: Extract<ReturnPlan, { kind: 'write' }>,
): SessionRecord {
  const { record } = carried;
  // Of the carried saves' own log, what is older than the base stands in the stored one.
  const log = new Set([...record.log.slice(0, record.version - 1 - carried.base), ...nextLog(stored)]);
  return {
    ...record,
    version: plan.version,
    startedAt: stored.startedAt,
    log: [...log].slice(0, LOG_LENGTH),
    ...nextHistory(stored, plan.changes, plan),
    data: joinFields(plan.fields),
  };
}

interface AppliedSaves {
  /** The carried version up to which the stored record has everything; the base when it has nothing. */
  readonly carried: number;
  /** The stored version up to which changes are ours, or from before. */
  readonly stored: number;
}

/**
 * A write whose answer was lost may have been applied. Carried saves have consecutive versions, newest first in
 * the log.
 */
function appliedSaves({ record, base }: Carried, stored: SessionRecord): AppliedSaves {
  const place = record.log.findIndex((nonce) => includesSave(stored, nonce));
  const carried = place === -1 ? base : Math.max(base, record.version - 1 - place);
  const isLatest = carried > base && stored.nonce === record.log[place];
  return { carried, stored: isLatest ? stored.version : carried };
}

/** Whether nobody else has written since: then the data returns as a whole. */
function isBase(carried: Carried, stored: SessionRecord, applied: AppliedSaves): boolean {
  const { record } = carried;
  if (stored.version !== applied.carried || includesOthers(carried, stored)) return false;
  const nonce = record.log[record.version - 1 - applied.carried];
  // Bridges that disagreed may have stored another save under the same version.
  return nonce === undefined || stored.nonce === '' || stored.nonce === nonce;
}

/** A save of ours keeps its name, and perhaps its version, when it comes home on top of what others saved. */
function includesOthers({ record, base, changes }: Carried, stored: SessionRecord): boolean {
  const ours = new Set([record.nonce, ...record.log]);
  if (stored.version > base && stored.log.some((nonce) => !ours.has(nonce))) return true;
  return [...(stored.changed ?? [])].some(([key, changedIn]) => changedIn > base && !changes.has(key));
}

function changesAfter({ record, changes }: Carried, version: number): Changes {
  const fields = fieldsOf(record);
  const set = new Map<string, string>();
  const deleted = new Set<string>();
  for (const [key, changedIn] of changes) {
    if (changedIn <= version) continue;
    const text = fields.get(key);
    if (text === undefined) deleted.add(key);
    else set.set(key, text);
  }
  return { set, deleted };
}

function without(changes: Changes, keys: readonly string[]): Changes {
  return {
    set: new Map([...changes.set].filter(([key]) => !keys.includes(key))),
    deleted: new Set([...changes.deleted].filter((key) => !keys.includes(key))),
  };
}
