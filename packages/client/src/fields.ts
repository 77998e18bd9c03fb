/** A session's data as the JSON text of each top-level field: what is compared, merged and stored. */
import {
  decodeWith,
  encodeField,
  FORBIDDEN_KEYS,
  jsonCodec,
  type DataCodec,
  type JsonValue,
} from './codec.ts';
import type { SessionRecord } from './ports.ts';

/** Field name → JSON text, in the order of the data. */
export type Fields = ReadonlyMap<string, string>;

/** What one side did to the fields since both sides agreed. */
export interface Changes {
  readonly set: ReadonlyMap<string, string>;
  readonly deleted: ReadonlySet<string>;
}

export const NO_FIELDS: Fields = new Map();
export const NO_CHANGES: Changes = { set: new Map(), deleted: new Set() };

/** Records whose fields are remembered: those of the saves that are under way, not all that are cached. */
const MOST_KNOWN = 16;
const known = new Map<SessionRecord, Fields>();

/** The fields of a record; a save asks for them several times. */
export function fieldsOf(record: SessionRecord | null): Fields {
  if (record === null) return NO_FIELDS;
  const fields = known.get(record) ?? splitFields(record.data);
  known.delete(record);
  known.set(record, fields);
  const [oldest] = known.keys();
  if (known.size > MOST_KNOWN && oldest !== undefined) known.delete(oldest);
  return fields;
}

/** The fields of a JSON object's text that {@link joinFields} or a verified record gave. */
export function splitFields(data: string): Fields {
  // The text was made by joinFields or checked when its record was verified: it is one object.
  const object = JSON.parse(data) as Record<string, JsonValue>;
  return new Map(Object.entries(object).map(([key, value]) => [key, JSON.stringify(value)]));
}

/** The JSON text of the object with these fields. */
export function joinFields(fields: Fields): string {
  const members: string[] = [];
  for (const [key, text] of fields) members.push(`${JSON.stringify(key)}:${text}`);
  return `{${members.join(',')}}`;
}

/**
 * The fields of a live object: its own enumerable properties except undefined ones.
 * @throws SessionError `data_not_serializable`, TypeError for a name that is reserved.
 */
export function readFields(
  object: object,
  codec: DataCodec,
  reserved: ReadonlySet<string> = FORBIDDEN_KEYS,
): Fields {
  const fields = new Map<string, string>();
  for (const [key, value] of Object.entries(object)) {
    if (reserved.has(key))
      throw new TypeError(`A session field cannot be named "${key}": the name is reserved.`);
    if (value !== undefined) fields.set(key, encodeField(key, value, codec));
  }
  return fields;
}

/** A fresh copy of the data, which nobody else holds. */
export function decodeData(data: string, codec: DataCodec): Record<string, unknown> {
  // As in splitFields: always the text of one object.
  const object = JSON.parse(data) as Record<string, JsonValue>;
  if (codec === jsonCodec) return object;
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, decodeWith(codec, key, value)]),
  );
}

/** One field of a live object; undefined where there is none, null where it holds what the codec cannot carry. */
export function fieldText(object: object, key: string, codec: DataCodec): string | null | undefined {
  const value: unknown = Object.hasOwn(object, key) ? Reflect.get(object, key) : undefined;
  if (value === undefined) return undefined;
  try {
    return encodeField(key, value, codec);
  } catch {
    // Whoever saves it is told.
    return null;
  }
}

/** One field's value. */
export function decodeField(key: string, text: string, codec: DataCodec): unknown {
  // Field texts are made by JSON.stringify.
  return decodeWith(codec, key, JSON.parse(text) as JsonValue);
}

/**
 * The record with its fields in the app's codec. Plain JSON, from before the app had a codec, is translated;
 * null for the fields of any other codec.
 */
export function adaptRecord(record: SessionRecord, codec: DataCodec): SessionRecord | null {
  if (record.codec === codec.name) return record;
  if (record.codec !== jsonCodec.name) return null;
  const data = joinFields(readFields(decodeData(record.data, jsonCodec), codec));
  return { ...record, codec: codec.name, data };
}

export function diffFields(before: Fields, now: Fields): Changes {
  const set = new Map<string, string>();
  for (const [key, text] of now) if (before.get(key) !== text) set.set(key, text);
  const deleted = new Set<string>();
  for (const key of before.keys()) if (!now.has(key)) deleted.add(key);
  return { set, deleted };
}

export function isUnchanged(changes: Changes): boolean {
  return changes.set.size === 0 && changes.deleted.size === 0;
}

/** The names of all fields that were set or deleted. */
export function changedKeys(changes: Changes): string[] {
  return [...changes.set.keys(), ...changes.deleted];
}

export function applyChanges(target: Fields, changes: Changes): Fields {
  const fields = new Map(target);
  for (const [key, text] of changes.set) fields.set(key, text);
  for (const key of changes.deleted) fields.delete(key);
  return fields;
}
