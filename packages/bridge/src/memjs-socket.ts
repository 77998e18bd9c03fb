/**
 * One TCP connection carried by memjs: its socket, its SASL handshake and its parser.
 * The only import of memjs. What memjs leaves unchecked is checked here before it sees it.
 */
import { type Response, Server } from 'memjs';
import type { Socket } from 'node:net';
import {
  BrokenFrameError,
  FIELDS,
  FrameSplitter,
  HEADER_BYTES,
  MAGIC,
  OPCODES,
  STATUSES,
} from './binary-frames.ts';
import type { NodeErrorKind } from './node.ts';
import { resetSocket } from './reset-socket.ts';

/** An answer as memjs parsed it. Buffers are views of what was received. */
export type Answer = Response;

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface MemjsSocketOptions {
  readonly host: string;
  readonly port: number;
  /** SASL PLAIN. A node that does not know SASL is then refused, and the password is not sent. */
  readonly credentials?: Credentials | undefined;
  /** Bytes of extras, key and value that one answer may have. */
  readonly maxAnswerBytes: number;
}

/** What a socket tells its connection. Nothing is told after the end. */
export interface MemjsSocketEvents {
  /** Connected, logged in, and the node has answered. */
  onOpen(): void;
  onAnswer(answer: Answer): void;
  /** The socket ended by itself or was given up after an answer that cannot be right. */
  onEnd(kind: NodeErrorKind, cause: unknown): void;
}

export interface MemjsSocket {
  /** Writes whole requests in one system call. */
  write(frames: readonly Buffer[]): void;
  /**
   * Ends the connection with a reset, so that the kernel delivers nothing of it later. No event follows.
   */
  destroy(): void;
}

/** Connects at once; the name of the host is resolved anew each time. */
export function openMemjsSocket(options: MemjsSocketOptions, events: MemjsSocketEvents): MemjsSocket {
  const server = new OneConnectionServer(options, events);
  server.open();
  return server;
}

export interface RequestParts {
  readonly opcode: number;
  readonly key?: string;
  readonly extras?: Buffer;
  readonly value?: Buffer;
  /** The state of the item that the request is about. */
  readonly cas?: bigint;
}

const NOTHING = Buffer.alloc(0);

/**
 * The bytes of a request. Its opaque number is set when it is sent. memjs makes several buffers for each request and
 * fills the largest twice; this is the same in one.
 */
export function encodeRequest(parts: RequestParts): Buffer {
  const { opcode, key = '', extras = NOTHING, value = NOTHING, cas = 0n } = parts;
  const keyAt = HEADER_BYTES + extras.length;
  // Keys are ASCII: as many bytes as letters.
  const valueAt = keyAt + key.length;
  const frame = Buffer.allocUnsafe(valueAt + value.length);
  frame[FIELDS.magic] = MAGIC.request;
  frame[FIELDS.opcode] = opcode;
  frame.writeUInt16BE(key.length, FIELDS.keyLength);
  frame[FIELDS.extrasLength] = extras.length;
  frame[FIELDS.dataType] = 0;
  frame.writeUInt16BE(0, FIELDS.status);
  frame.writeUInt32BE(valueAt + value.length - HEADER_BYTES, FIELDS.bodyLength);
  frame.writeUInt32BE(0, FIELDS.opaque);
  frame.writeBigUInt64BE(cas, FIELDS.cas);
  extras.copy(frame, HEADER_BYTES);
  frame.write(key, keyAt, 'latin1');
  value.copy(frame, valueAt);
  return frame;
}

/** Up to this size copying frames together is cheaper than a gathering write. */
const JOIN_BYTES = 16_384;

/** Our own machine is short of something; says nothing about the node. */
const OWN_FAULTS: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL']);

/** memcached refuses a connection over its limit with a line of text that starts with ERROR. */
const LETTER_E = 0x45;

/** The node does not let us in. */
class RejectedLoginError extends Error {
  override readonly name = 'RejectedLoginError';
}

type Phase = 'connecting' | 'listing' | 'authenticating' | 'greeting' | 'open' | 'ended';

/** A memjs server that connects once and is thrown away at the first doubt. */
class OneConnectionServer extends Server implements MemjsSocket {
  readonly #events: MemjsSocketEvents;
  readonly #splitter: FrameSplitter;
  #phase: Phase = 'connecting';
  #socket: Socket | undefined;

  constructor(options: MemjsSocketOptions, events: MemjsSocketEvents) {
    // The time-outs of memjs are those of an idle socket, and every write renews them: none are used.
    super(options.host, options.port, '', '', { conntimeout: 0, keepAlive: true, keepAliveDelay: 30 });
    // memjs takes missing credentials from environment variables of its own.
    this.username = options.credentials?.username ?? '';
    this.password = options.credentials?.password ?? '';
    this.#events = events;
    this.#splitter = new FrameSplitter({ magic: MAGIC.response, maxBodyBytes: options.maxAnswerBytes });
  }

  /**
   * Nothing of use is sent before the node has answered a NOOP. A hung node and one over its connection limit
   * do accept connections, and what were sent to them then could be carried out much later.
   */
  open(): void {
    this.sock(false, (socket) => {
      this.#phase = 'greeting';
      socket.write(encodeRequest({ opcode: OPCODES.noop }));
    });
    const socket = this._socket;
    if (socket === undefined) throw new Error('memjs has no socket after connecting');
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.once('connect', () => {
      if (this.username !== '') this.#phase = 'listing';
    });
    // memjs tells nobody when the other side closes.
    socket.once('end', () => this.#end(this.#brokenKind(), new Error('the node closed the connection')));
    socket.once('close', () => this.#end(this.#brokenKind(), new Error('the connection closed')));
  }

  write(frames: readonly Buffer[]): void {
    const socket = this.#socket;
    const [first] = frames;
    if (socket === undefined || first === undefined) return;
    if (frames.length === 1) {
      socket.write(first);
    } else if (frames.reduce((sum, frame) => sum + frame.length, 0) <= JOIN_BYTES) {
      socket.write(Buffer.concat(frames));
    } else {
      socket.cork();
      for (const frame of frames) socket.write(frame);
      socket.uncork();
    }
  }

  destroy(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    // memjs has handlers on the socket that must find nothing to do.
    this.timeoutSet = false;
    this._socket = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket !== undefined) resetSocket(socket);
  }

  /** memjs would copy all that it holds for every chunk; it only ever gets whole frames here. */
  override appendToBuffer(frames: Buffer): Buffer {
    this.responseBuffer = frames;
    return frames;
  }

  override responseHandler(chunk: Buffer): void {
    if (this.#phase === 'ended') return;
    try {
      const frames = this.#splitter.take(chunk);
      if (frames === null) return;
      this.#inspect(frames);
      super.responseHandler(frames);
    } catch (cause) {
      this.#end(this.#kindOf(cause, chunk), cause);
    }
  }

  override respond(response: Answer): void {
    if (this.#phase === 'open') {
      this.#events.onAnswer(response);
    } else if (this.#phase === 'greeting') {
      this.#phase = 'open';
      this.#events.onOpen();
    }
  }

  /** memjs calls this for socket errors and for a failed login. */
  override error(cause: unknown): void {
    const isOurs = this.#phase !== 'open' && OWN_FAULTS.has(codeOf(cause));
    const kind = this.#phase === 'connecting' && isRefusal(cause) ? 'refused' : this.#brokenKind();
    this.#end(isOurs ? 'busy' : kind, cause);
  }

  #end(kind: NodeErrorKind, cause: unknown): void {
    if (this.#phase === 'ended') return;
    this.destroy();
    this.#events.onEnd(kind, cause);
  }

  /** Before the handshake is over nothing was sent that matters: there was no connection to speak of. */
  #brokenKind(): NodeErrorKind {
    return this.#phase === 'open' ? 'closed' : 'unreachable';
  }

  #kindOf(cause: unknown, chunk: Buffer): NodeErrorKind {
    if (cause instanceof RejectedLoginError) return 'auth';
    return this.#phase !== 'open' && chunk[0] === LETTER_E ? 'unreachable' : 'protocol';
  }

  /** memjs answers any SASL frame, whenever it comes, by sending the password. */
  #inspect(frames: Buffer): void {
    let at = 0;
    while (at < frames.length) {
      this.#inspectFrame(frames.readUInt8(at + FIELDS.opcode), frames.readUInt16BE(at + FIELDS.status));
      at += HEADER_BYTES + frames.readUInt32BE(at + FIELDS.bodyLength);
    }
  }

  #inspectFrame(opcode: number, status: number): void {
    if (status === STATUSES.auth) throw new RejectedLoginError('the node requires or refuses a login');
    const isList = opcode === OPCODES.saslList;
    if (!isList && opcode !== OPCODES.saslAuth) {
      const isGreeting = this.#phase === 'greeting' && opcode === OPCODES.noop && status === STATUSES.ok;
      if (this.#phase !== 'open' && !isGreeting)
        throw new BrokenFrameError('an answer that nobody asked for');
      return;
    }
    if (this.#phase !== (isList ? 'listing' : 'authenticating')) throw new BrokenFrameError('nobody logs in');
    if (status !== STATUSES.ok) throw new RejectedLoginError(`the login ended with status ${status}`);
    if (isList) this.#phase = 'authenticating';
  }
}

/** Of a name with several addresses each must have refused. */
function isRefusal(cause: unknown): boolean {
  return cause instanceof AggregateError ? cause.errors.every(isRefusal) : codeOf(cause) === 'ECONNREFUSED';
}

function codeOf(cause: unknown): unknown {
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}
