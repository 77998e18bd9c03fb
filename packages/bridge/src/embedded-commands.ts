/** What an embedded node answers to each request of the binary protocol. */
import { encodeFrame, MAGIC, OPCODES, STATUSES } from './binary-frames.ts';
import type { Frame } from './binary-frames.ts';
import type { ItemMemory, StoreMode, StoreResult } from './embedded-items.ts';

export interface CommandContext {
  readonly memory: ItemMemory;
  /** Whether a full memory is to be played: nothing is stored. */
  isOutOfMemory(): boolean;
  /** What STAT tells beside the numbers counted here. */
  stats(): Iterable<readonly [name: string, value: string | number]>;
  /** What STAT tells about how the node was started. */
  settings(): Iterable<readonly [name: string, value: string | number]>;
}

export interface Reply {
  readonly bytes: Buffer;
  /** Whether the connection ends after it. */
  readonly isLast: boolean;
}

/** One answer before it is put in a frame. */
interface Outcome {
  readonly status: number;
  readonly cas?: bigint;
  readonly extras?: Buffer;
  readonly key?: Buffer;
  readonly value?: Buffer;
  readonly isLast?: boolean;
}

const KEY_BYTES = 250;
const NOTHING = Buffer.alloc(0);
const VERSION = '1.6.0-embedded';

/** Quiet commands and what they are quiet forms of. */
const LOUD: ReadonlyMap<number, number> = new Map([
  [OPCODES.getQ, OPCODES.get],
  [OPCODES.getKQ, OPCODES.getK],
  [OPCODES.gatQ, OPCODES.gat],
  [OPCODES.gatKQ, OPCODES.gatK],
  [OPCODES.setQ, OPCODES.set],
  [OPCODES.addQ, OPCODES.add],
  [OPCODES.replaceQ, OPCODES.replace],
  [OPCODES.deleteQ, OPCODES.delete],
  [OPCODES.flushQ, OPCODES.flush],
  [OPCODES.quitQ, OPCODES.quit],
]);

const MODES: ReadonlyMap<number, StoreMode> = new Map<number, StoreMode>([
  [OPCODES.set, 'set'],
  [OPCODES.add, 'add'],
  [OPCODES.replace, 'replace'],
]);

const READS: ReadonlySet<number> = new Set([
  OPCODES.get,
  OPCODES.getK,
  OPCODES.gat,
  OPCODES.gatK,
  OPCODES.touch,
]);

/** Length of the extras that a command must have; others must have none. */
const EXTRAS_BYTES: ReadonlyMap<number, number> = new Map([
  [OPCODES.set, 8],
  [OPCODES.add, 8],
  [OPCODES.replace, 8],
  [OPCODES.touch, 4],
  [OPCODES.gat, 4],
  [OPCODES.gatK, 4],
]);

/** Commands about one item: a key is needed, and only storing ones have a value. */
const KEYED: ReadonlySet<number> = new Set([...READS, ...MODES.keys(), OPCODES.delete]);

const TEXTS: ReadonlyMap<number, string> = new Map([
  [STATUSES.notFound, 'Not found'],
  [STATUSES.exists, 'Data exists for key.'],
  [STATUSES.tooLarge, 'Too large.'],
  [STATUSES.invalid, 'Invalid arguments'],
  [STATUSES.unknownCommand, 'Unknown command'],
  [STATUSES.outOfMemory, 'Out of memory'],
]);

const STORE_STATUSES: Readonly<Record<Exclude<StoreResult['outcome'], 'stored'>, number>> = {
  exists: STATUSES.exists,
  absent: STATUSES.notFound,
  too_large: STATUSES.tooLarge,
  out_of_memory: STATUSES.outOfMemory,
};

/** Carries out requests, as memcached 1.6 does (its proto_bin.c). SASL and counters are unknown commands. */
export class Commands {
  readonly #context: CommandContext;
  #hits = 0;
  #misses = 0;
  #sets = 0;
  #touches = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  /** The answer; without bytes where the protocol is silent. */
  run(request: Frame): Reply {
    const opcode = LOUD.get(request.opcode) ?? request.opcode;
    if (opcode === OPCODES.stat && request.extras.length === 0) return this.#stat(request);
    const outcome = isWellFormed(opcode, request)
      ? this.#execute(opcode, request)
      : { status: STATUSES.invalid, isLast: true };
    const isSilent = opcode !== request.opcode && outcome.status === silentStatus(opcode);
    return { bytes: isSilent ? NOTHING : encode(request, outcome), isLast: outcome.isLast ?? false };
  }

  #execute(opcode: number, request: Frame): Outcome {
    const mode = MODES.get(opcode);
    if (mode !== undefined) return this.#store(mode, request);
    if (READS.has(opcode)) return this.#read(opcode, request);
    switch (opcode) {
      case OPCODES.delete:
        return this.#delete(request);
      case OPCODES.noop:
        return { status: STATUSES.ok };
      case OPCODES.version:
        return { status: STATUSES.ok, value: Buffer.from(VERSION) };
      case OPCODES.flush:
        this.#context.memory.clear();
        return { status: STATUSES.ok };
      case OPCODES.quit:
        return { status: STATUSES.ok, isLast: true };
      default:
        return { status: STATUSES.unknownCommand };
    }
  }

  #read(opcode: number, request: Frame): Outcome {
    const { memory } = this.#context;
    const key = request.key.toString('latin1');
    const isTouching = opcode !== OPCODES.get && opcode !== OPCODES.getK;
    const item = isTouching ? memory.touch(key, request.extras.readUInt32BE(0)) : memory.get(key);
    if (isTouching) this.#touches += 1;
    const hasKey = opcode === OPCODES.getK || opcode === OPCODES.gatK;
    const keyPart = hasKey ? { key: request.key } : {};
    if (item === undefined) {
      this.#misses += 1;
      return { status: STATUSES.notFound, ...keyPart };
    }
    this.#hits += 1;
    const extras = Buffer.alloc(4);
    extras.writeUInt32BE(item.flags, 0);
    const value = opcode === OPCODES.touch ? NOTHING : item.value;
    return { status: STATUSES.ok, cas: item.cas, extras, value, ...keyPart };
  }

  #store(mode: StoreMode, request: Frame): Outcome {
    const key = request.key.toString('latin1');
    this.#sets += 1;
    if (this.#context.isOutOfMemory()) {
      if (mode === 'set') this.#context.memory.delete(key, 0n);
      return { status: STATUSES.outOfMemory };
    }
    const result = this.#context.memory.store(key, {
      mode,
      flags: request.extras.readUInt32BE(0),
      ttl: request.extras.readUInt32BE(4),
      // The request's bytes are a view of a much larger buffer.
      value: Buffer.from(request.value),
      cas: request.cas,
    });
    if (result.outcome === 'stored') return { status: STATUSES.ok, cas: result.cas };
    return { status: STORE_STATUSES[result.outcome] };
  }

  #delete(request: Frame): Outcome {
    const outcome = this.#context.memory.delete(request.key.toString('latin1'), request.cas);
    if (outcome === 'deleted') return { status: STATUSES.ok };
    return { status: outcome === 'exists' ? STATUSES.exists : STATUSES.notFound };
  }

  /** One frame for each number, then one without a key. Of the groups only the settings are known. */
  #stat(request: Frame): Reply {
    const group = request.key.toString('latin1');
    if (group !== '' && group !== 'settings')
      return { bytes: encode(request, { status: STATUSES.notFound }), isLast: false };
    const frames: Buffer[] = [];
    for (const [name, value] of group === '' ? this.#allStats() : this.#context.settings()) {
      const outcome = { status: STATUSES.ok, key: Buffer.from(name), value: Buffer.from(String(value)) };
      frames.push(encode(request, outcome));
    }
    frames.push(encode(request, { status: STATUSES.ok }));
    return { bytes: Buffer.concat(frames), isLast: false };
  }

  *#allStats(): Generator<readonly [string, string | number]> {
    const { items, bytes, evictions, totalItems } = this.#context.memory.counts;
    yield* this.#context.stats();
    yield ['version', VERSION];
    yield ['cmd_get', this.#hits + this.#misses];
    yield ['cmd_set', this.#sets];
    yield ['cmd_touch', this.#touches];
    yield ['get_hits', this.#hits];
    yield ['get_misses', this.#misses];
    yield ['curr_items', items];
    yield ['total_items', totalItems];
    yield ['bytes', bytes];
    yield ['evictions', evictions];
  }
}

function isWellFormed(opcode: number, request: Frame): boolean {
  if (request.key.length > KEY_BYTES) return false;
  if (opcode === OPCODES.flush) return [0, 4].includes(request.extras.length) && request.key.length === 0;
  if (KEYED.has(opcode)) {
    if (request.key.length === 0 || request.extras.length !== (EXTRAS_BYTES.get(opcode) ?? 0)) return false;
    return MODES.has(opcode) || request.value.length === 0;
  }
  const isBare = request.extras.length + request.key.length + request.value.length === 0;
  return isBare || !BARE.has(opcode);
}

/** Commands that have a header only. */
const BARE: ReadonlySet<number> = new Set([OPCODES.noop, OPCODES.version, OPCODES.quit, OPCODES.saslList]);

/** The status that the quiet form of a command does not answer with. */
function silentStatus(opcode: number): number {
  return READS.has(opcode) ? STATUSES.notFound : STATUSES.ok;
}

function encode(request: Frame, outcome: Outcome): Buffer {
  const { status, isLast: _, ...parts } = outcome;
  const text = outcome.key === undefined ? TEXTS.get(status) : undefined;
  const value = text === undefined ? {} : { value: Buffer.from(text) };
  const { opcode, opaque } = request;
  return encodeFrame({ magic: MAGIC.response, opcode, opaque, status, ...parts, ...value });
}
