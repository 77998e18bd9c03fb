/** How a field's value becomes JSON and comes back: the strict default, and the interface for others. */
import { SessionError } from './errors.ts';

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * Translates each top-level field of a session, e.g. with devalue or superjson, so that it may hold a Date,
 * a Map or a BigInt. `decode(encode(value))` must give an equal value, and `encode` the same JSON for it.
 */
export interface DataCodec {
  /** Kept in the record; records that another codec made are rejected, plain JSON ones are read. */
  readonly name: string;
  /** What JSON can carry. May throw; the error becomes `data_not_serializable`. */
  encode(value: unknown): unknown;
  decode(value: JsonValue): unknown;
}

/** Takes what JSON can carry, and refuses everything else instead of dropping or changing it. */
export const jsonCodec: DataCodec = {
  name: 'json',
  encode: (value) => value,
  decode: (value) => value,
};

/** Keys that reach a prototype: never written, never read. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** Deeper nesting is refused before it can exhaust the stack. */
const DEEPEST = 200;
/** So are more values than 8 MiB of JSON hold: an object that is reached by many ways counts each time. */
const MOST_VALUES = 2 ** 22;

interface Walk {
  /** The objects around the value: one that comes again is a cycle. */
  readonly parents: object[];
  /** Values that may still come. */
  left: number;
}

/**
 * The JSON text of one field.
 * @throws SessionError `data_not_serializable`; its message has the path, e.g. `cart[2].price`, not the value.
 */
export function encodeField(key: string, value: unknown, codec: DataCodec): string {
  const encoded = codec === jsonCodec ? value : encodeWith(codec, key, value);
  assertJson(encoded, key, { parents: [], left: MOST_VALUES });
  return JSON.stringify(encoded);
}

function encodeWith(codec: DataCodec, key: string, value: unknown): unknown {
  try {
    return codec.encode(value);
  } catch (cause) {
    throw new SessionError('data_not_serializable', `${key}: the codec ${codec.name} refused it.`, { cause });
  }
}

/** @throws SessionError `data_not_serializable`; a session that cannot be read is not a new one. */
export function decodeWith(codec: DataCodec, key: string, value: JsonValue): unknown {
  try {
    return codec.decode(value);
  } catch (cause) {
    const detail = `${key}: the codec ${codec.name} cannot read what is stored.`;
    throw new SessionError('data_not_serializable', detail, { cause });
  }
}

function assertJson(value: unknown, path: string, walk: Walk): void {
  walk.left -= 1;
  if (walk.left < 0) refuse(path, `one of more than ${MOST_VALUES} values`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(path, String(value));
    return;
  }
  if (typeof value !== 'object') return refuse(path, typeof value);
  const { parents } = walk;
  if (parents.includes(value)) refuse(path, 'a cycle');
  if (parents.length >= DEEPEST) refuse(path, `nested deeper than ${DEEPEST}`);
  if ('toJSON' in value && typeof value.toJSON === 'function') refuse(path, `${nameOf(value)} with toJSON()`);
  parents.push(value);
  if (Array.isArray(value)) assertArray(value, path, walk);
  else assertObject(value, path, walk);
  parents.pop();
}

function assertArray(array: readonly unknown[], path: string, walk: Walk): void {
  for (let i = 0; i < array.length; i += 1) {
    // A hole would come back as null, like an undefined.
    assertJson(array[i], `${path}[${i}]`, walk);
  }
  if (Object.keys(array).length !== array.length) refuse(path, 'an array with properties');
}

function assertObject(object: object, path: string, walk: Walk): void {
  if (!isPlainObject(object)) refuse(path, nameOf(object));
  for (const symbol of Object.getOwnPropertySymbols(object)) {
    if (Object.prototype.propertyIsEnumerable.call(object, symbol)) refuse(path, 'a symbol key');
  }
  for (const [key, value] of Object.entries(object)) {
    const at = `${path}.${key}`;
    if (FORBIDDEN_KEYS.has(key)) refuse(at, 'a key that reaches a prototype');
    // As in JSON, an undefined property is an absent one.
    if (value !== undefined) assertJson(value, at, walk);
  }
}

/** Whether it is an object of no class: `{}`, or one without a prototype. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || isForeignPlain(prototype);
}

/** Whether this is the Object.prototype of another realm (a VM context, as frameworks use for handlers). */
function isForeignPlain(prototype: unknown): boolean {
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    Object.getPrototypeOf(prototype) === null &&
    Object.hasOwn(prototype, 'hasOwnProperty')
  );
}

function nameOf(object: object): string {
  const { constructor } = object;
  return `a ${typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'class instance'}`;
}

function refuse(path: string, what: string): never {
  throw new SessionError('data_not_serializable', `${path} is ${what}.`);
}

/**
 * The value of a JSON text without keys that reach a prototype, whoever wrote it.
 * @throws SyntaxError when it is not JSON.
 */
export function parseSafeJson(text: string): unknown {
  // Escapes can spell the forbidden keys too; only texts free of both skip the slow way.
  if (!/\\u|__proto__|constructor|prototype/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (key: string, value: unknown) => (FORBIDDEN_KEYS.has(key) ? undefined : value));
}
