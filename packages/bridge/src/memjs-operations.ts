/** The operations on a node as requests of the binary protocol, and what their answers mean. */
import { LIMITS } from '@memsession/client/protocol';
import { OPCODES, STATUSES } from './binary-frames.ts';
import { encodeRequest } from './memjs-socket.ts';
import type { Answer } from './memjs-socket.ts';
import type { Item, NewItem, NodeErrorKind, StatsGroup, StoreOutcome, Touched } from './node.ts';

/** One operation, ready to be sent. */
export interface Operation<T> {
  readonly name: string;
  readonly opcode: number;
  readonly frame: Buffer;
  readonly isMutation: boolean;
  /**
   * The result, or {@link MORE} when the answer has further parts.
   *
   * @throws {BadAnswerError} when the node failed or says what cannot be.
   */
  decode(answer: Answer): T | typeof MORE;
}

/** The answer goes on in another frame. */
export const MORE: unique symbol = Symbol('more');

/** An answer that is no result. */
export class BadAnswerError extends Error {
  override readonly name = 'BadAnswerError';
  readonly kind: NodeErrorKind;

  constructor(kind: NodeErrorKind, message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Longest key memcached takes; it closes the connection on a longer one. */
const KEY_BYTES = 250;
const KEY = /^[\x21-\x7e]+$/;
const LARGEST_CAS = 0xffff_ffff_ffff_ffffn;
const FLAGS_BYTES = 4;
/** Far more than memcached has; an answer that never ends must not fill our memory. */
const MOST_STATS = 1_000;

export function getsOperation(key: string): Operation<Item | null> {
  const frame = encodeRequest({ opcode: OPCODES.get, key: checkKey(key) });
  return { name: 'gets', opcode: OPCODES.get, frame, isMutation: false, decode: decodeItem };
}

export function gatOperation(key: string, ttlSeconds: number): Operation<Item | null> {
  const frame = encodeRequest({ opcode: OPCODES.gat, key: checkKey(key), extras: encodeTtl(ttlSeconds) });
  // A lifetime that is renewed late harms nobody, so that a GAT counts as a read.
  return { name: 'gat', opcode: OPCODES.gat, frame, isMutation: false, decode: decodeItem };
}

export function touchOperation(key: string, ttlSeconds: number): Operation<Touched | null> {
  const frame = encodeRequest({ opcode: OPCODES.touch, key: checkKey(key), extras: encodeTtl(ttlSeconds) });
  return { name: 'touch', opcode: OPCODES.touch, frame, isMutation: false, decode: decodeTouched };
}

export function addOperation(key: string, item: NewItem, maxItemBytes: number): Operation<StoreOutcome> {
  const { value } = checkItem(item, maxItemBytes);
  const frame = encodeRequest({ opcode: OPCODES.add, key: checkKey(key), extras: encodeExtras(item), value });
  return { name: 'add', opcode: OPCODES.add, frame, isMutation: true, decode: decodeStored };
}

/**
 * Sent as a REPLACE with a CAS number, not as the SET that is usual: when memcached has no memory for the new
 * item, or finds it too large, a SET deletes the old one, even where the CAS number is wrong
 * (memcached's proto_bin.c, process_bin_update).
 */
export function casOperation(
  key: string,
  item: NewItem,
  { expected, maxItemBytes }: { readonly expected: bigint; readonly maxItemBytes: number },
): Operation<StoreOutcome> {
  const { value } = checkItem(item, maxItemBytes);
  const frame = encodeRequest({
    opcode: OPCODES.replace,
    key: checkKey(key),
    extras: encodeExtras(item),
    value,
    cas: checkCas(expected),
  });
  return { name: 'cas', opcode: OPCODES.replace, frame, isMutation: true, decode: decodeStored };
}

export function deleteOperation(key: string, expected?: bigint): Operation<boolean> {
  const cas = expected === undefined ? {} : { cas: checkCas(expected) };
  const frame = encodeRequest({ opcode: OPCODES.delete, key: checkKey(key), ...cas });
  return { name: 'delete', opcode: OPCODES.delete, frame, isMutation: true, decode: decodeDeleted };
}

export function noopOperation(): Operation<void> {
  const frame = encodeRequest({ opcode: OPCODES.noop });
  return { name: 'noop', opcode: OPCODES.noop, frame, isMutation: false, decode: decodeNothing };
}

/** memcached answers with one frame for each number and ends with one that has no key. */
export function statsOperation(group?: StatsGroup): Operation<ReadonlyMap<string, string>> {
  const stats = new Map<string, string>();
  const decode = (answer: Answer): ReadonlyMap<string, string> | typeof MORE => {
    if (answer.header.status !== STATUSES.ok) throw failure(answer);
    if (answer.key.length === 0) return stats;
    if (stats.size >= MOST_STATS) throw new BadAnswerError('protocol', 'statistics without end');
    stats.set(answer.key.toString('latin1'), answer.val.toString('latin1'));
    return MORE;
  };
  const frame = encodeRequest({ opcode: OPCODES.stat, ...(group === undefined ? {} : { key: group }) });
  return { name: 'stats', opcode: OPCODES.stat, frame, isMutation: false, decode };
}

function decodeItem(answer: Answer): Item | null {
  const found = decodeTouched(answer);
  return found === null ? null : { version: found.version, value: answer.val, cas: found.cas };
}

function decodeTouched(answer: Answer): Touched | null {
  const { header, extras, key } = answer;
  if (header.status === STATUSES.notFound) return null;
  if (header.status !== STATUSES.ok) throw failure(answer);
  if (extras.length !== FLAGS_BYTES || key.length !== 0) throw new BadAnswerError('protocol', 'no flags');
  return { version: extras.readUInt32BE(0), cas: readCas(header.cas) };
}

function decodeStored(answer: Answer): StoreOutcome {
  switch (answer.header.status) {
    case STATUSES.ok:
      return { stored: true, cas: readCas(answer.header.cas) };
    case STATUSES.exists:
      return { stored: false, reason: 'exists' };
    case STATUSES.notFound:
      return { stored: false, reason: 'absent' };
    default:
      throw failure(answer);
  }
}

function decodeDeleted(answer: Answer): boolean {
  const { status } = answer.header;
  if (status === STATUSES.ok) return true;
  if (status === STATUSES.notFound || status === STATUSES.exists) return false;
  throw failure(answer);
}

function decodeNothing(answer: Answer): void {
  if (answer.header.status !== STATUSES.ok) throw failure(answer);
}

/** A node that runs without CAS numbers would carry out every write without any condition. */
function readCas(bytes: Buffer): bigint {
  const cas = bytes.readBigUInt64BE(0);
  if (cas === 0n) throw new BadAnswerError('protocol', 'the node gives no CAS numbers');
  return cas;
}

const KINDS: ReadonlyMap<number, NodeErrorKind> = new Map([
  [STATUSES.tooLarge, 'too_large'],
  // Checked before sending, so that the node and we no longer mean the same by the bytes between us.
  [STATUSES.invalid, 'protocol'],
  [STATUSES.unknownCommand, 'protocol'],
  [STATUSES.auth, 'auth'],
  [STATUSES.outOfMemory, 'out_of_memory'],
]);

function failure(answer: Answer): BadAnswerError {
  const { status } = answer.header;
  return new BadAnswerError(KINDS.get(status) ?? 'server', `status 0x${status.toString(16)}`);
}

function checkKey(key: string): string {
  if (key.length > KEY_BYTES || !KEY.test(key)) {
    throw new TypeError(`A key has 1 to ${KEY_BYTES} printable ASCII characters without space.`);
  }
  return key;
}

function checkItem(item: NewItem, maxItemBytes: number): NewItem {
  if (item.value.length > maxItemBytes) {
    throw new TypeError(`A value has at most ${maxItemBytes} bytes, this one has ${item.value.length}.`);
  }
  return item;
}

function checkCas(cas: bigint): bigint {
  if (cas < 1n || cas > LARGEST_CAS) throw new TypeError('A CAS number is from 1 to 2^64 - 1.');
  return cas;
}

function checkWhole(what: string, number: number, most: number): number {
  if (Number.isInteger(number) && number >= 1 && number <= most) return number;
  throw new TypeError(`A ${what} is a whole number from 1 to ${most}.`);
}

function encodeTtl(ttlSeconds: number): Buffer {
  const extras = Buffer.allocUnsafe(4);
  extras.writeUInt32BE(checkWhole('lifetime', ttlSeconds, LIMITS.ttlSeconds), 0);
  return extras;
}

/** Flags, which hold the version, and the lifetime. */
function encodeExtras(item: NewItem): Buffer {
  const extras = Buffer.allocUnsafe(8);
  extras.writeUInt32BE(checkWhole('version', item.version, LIMITS.version), 0);
  extras.writeUInt32BE(checkWhole('lifetime', item.ttlSeconds, LIMITS.ttlSeconds), 4);
  return extras;
}
