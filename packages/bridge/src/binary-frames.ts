/** The frames of memcached's binary protocol: its numbers, and how a byte stream falls into frames. */

/** Every frame starts with a header of this size; extras, key and value follow. */
export const HEADER_BYTES = 24;

/** First byte of every frame. */
export const MAGIC = { request: 0x80, response: 0x81 } as const;

export const OPCODES = {
  get: 0x00,
  set: 0x01,
  add: 0x02,
  replace: 0x03,
  delete: 0x04,
  quit: 0x07,
  flush: 0x08,
  getQ: 0x09,
  noop: 0x0a,
  version: 0x0b,
  getK: 0x0c,
  getKQ: 0x0d,
  stat: 0x10,
  setQ: 0x11,
  addQ: 0x12,
  replaceQ: 0x13,
  deleteQ: 0x14,
  quitQ: 0x17,
  flushQ: 0x18,
  touch: 0x1c,
  gat: 0x1d,
  gatQ: 0x1e,
  saslList: 0x20,
  saslAuth: 0x21,
  gatK: 0x23,
  gatKQ: 0x24,
} as const;

export const STATUSES = {
  ok: 0x00,
  notFound: 0x01,
  exists: 0x02,
  tooLarge: 0x03,
  invalid: 0x04,
  notStored: 0x05,
  auth: 0x20,
  unknownCommand: 0x81,
  outOfMemory: 0x82,
  busy: 0x85,
  temporary: 0x86,
} as const;

/** Where the fields of a header are, in bytes from its start. */
export const FIELDS = {
  magic: 0,
  opcode: 1,
  keyLength: 2,
  extrasLength: 4,
  dataType: 5,
  /** In a request: the virtual bucket, which nobody uses. */
  status: 6,
  bodyLength: 8,
  opaque: 12,
  cas: 16,
} as const;

/** What arrived is no frame of this protocol, or a larger one than may be. */
export class BrokenFrameError extends Error {
  override readonly name = 'BrokenFrameError';
}

export interface FrameSplitterOptions {
  /** The first byte that every frame must have. */
  readonly magic: number;
  /** The largest body (extras, key and value) that a header may announce. */
  readonly maxBodyBytes: number;
}

/**
 * Cuts a byte stream at frame borders. What is not complete yet is kept without copying it again for every
 * chunk, and a header that cannot be right is refused before its body is waited for.
 */
export class FrameSplitter {
  readonly #options: FrameSplitterOptions;
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** Bytes needed before it is worth looking again. */
  #neededBytes = HEADER_BYTES;

  constructor(options: FrameSplitterOptions) {
    this.#options = options;
  }

  /**
   * One or more whole frames in one buffer, or null when none is complete.
   *
   * @throws {BrokenFrameError} when the stream cannot be trusted any more.
   */
  take(chunk: Buffer): Buffer | null {
    // Looked at before a whole header is there: a line of text may be shorter than one.
    if (this.#heldBytes === 0 && chunk[0] !== this.#options.magic) throw new BrokenFrameError('wrong magic');
    if (this.#heldBytes + chunk.length < this.#neededBytes) {
      this.#hold(chunk);
      return null;
    }
    const bytes = this.#heldBytes === 0 ? chunk : Buffer.concat([...this.#held, chunk]);
    this.#held = [];
    this.#heldBytes = 0;
    const end = this.#findEnd(bytes);
    if (end < bytes.length) this.#hold(bytes.subarray(end));
    return end === 0 ? null : bytes.subarray(0, end);
  }

  #hold(bytes: Buffer): void {
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
  }

  /** Where the last complete frame ends. Remembers what the next one needs. */
  #findEnd(bytes: Buffer): number {
    let start = 0;
    while (bytes.length - start >= HEADER_BYTES) {
      const length = this.#frameLength(bytes, start);
      if (start + length > bytes.length) {
        this.#neededBytes = length;
        return start;
      }
      start += length;
    }
    if (start < bytes.length && bytes[start] !== this.#options.magic)
      throw new BrokenFrameError('wrong magic');
    this.#neededBytes = HEADER_BYTES;
    return start;
  }

  #frameLength(bytes: Buffer, start: number): number {
    if (bytes[start] !== this.#options.magic) throw new BrokenFrameError('wrong magic');
    const bodyLength = bytes.readUInt32BE(start + FIELDS.bodyLength);
    const keyLength = bytes.readUInt16BE(start + FIELDS.keyLength);
    const extrasLength = bytes.readUInt8(start + FIELDS.extrasLength);
    if (bodyLength > this.#options.maxBodyBytes) throw new BrokenFrameError('body over the limit');
    if (keyLength + extrasLength > bodyLength) throw new BrokenFrameError('lengths contradict each other');
    return HEADER_BYTES + bodyLength;
  }
}

/** What a frame is made of; what is missing is empty or zero. */
export interface FrameParts {
  readonly magic: number;
  readonly opcode: number;
  readonly status?: number;
  readonly opaque?: number;
  readonly cas?: bigint;
  readonly extras?: Buffer;
  readonly key?: Buffer;
  readonly value?: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** The bytes of one frame. */
export function encodeFrame(parts: FrameParts): Buffer {
  const { extras = NOTHING, key = NOTHING, value = NOTHING } = parts;
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(parts.magic, FIELDS.magic);
  header.writeUInt8(parts.opcode, FIELDS.opcode);
  header.writeUInt16BE(key.length, FIELDS.keyLength);
  header.writeUInt8(extras.length, FIELDS.extrasLength);
  header.writeUInt16BE(parts.status ?? 0, FIELDS.status);
  header.writeUInt32BE(extras.length + key.length + value.length, FIELDS.bodyLength);
  header.writeUInt32BE(parts.opaque ?? 0, FIELDS.opaque);
  header.writeBigUInt64BE(parts.cas ?? 0n, FIELDS.cas);
  return Buffer.concat([header, extras, key, value]);
}

/** One frame, taken apart. Buffers are views of the bytes it came from. */
export interface Frame {
  readonly opcode: number;
  /** Of an answer; in a request this field means nothing. */
  readonly status: number;
  readonly opaque: number;
  readonly cas: bigint;
  readonly extras: Buffer;
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Takes apart what {@link FrameSplitter.take} returned. */
export function* decodeFrames(bytes: Buffer): Generator<Frame> {
  let start = 0;
  while (start < bytes.length) {
    const extrasAt = start + HEADER_BYTES;
    const keyAt = extrasAt + bytes.readUInt8(start + FIELDS.extrasLength);
    const valueAt = keyAt + bytes.readUInt16BE(start + FIELDS.keyLength);
    const end = extrasAt + bytes.readUInt32BE(start + FIELDS.bodyLength);
    yield {
      opcode: bytes.readUInt8(start + FIELDS.opcode),
      status: bytes.readUInt16BE(start + FIELDS.status),
      opaque: bytes.readUInt32BE(start + FIELDS.opaque),
      cas: bytes.readBigUInt64BE(start + FIELDS.cas),
      extras: bytes.subarray(extrasAt, keyAt),
      key: bytes.subarray(keyAt, valueAt),
      value: bytes.subarray(valueAt, end),
    };
    start = end;
  }
}
