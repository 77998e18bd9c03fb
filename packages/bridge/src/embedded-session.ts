/** One client's connection to an embedded node, and the faults that it plays. */
import type { Socket } from 'node:net';
import { decodeFrames, FrameSplitter, MAGIC } from './binary-frames.ts';
import type { Frame } from './binary-frames.ts';
import type { Commands } from './embedded-commands.ts';
import type { Clock } from './node.ts';
import { resetSocket } from './reset-socket.ts';

/** What an embedded node can be made to do instead of answering. */
export type EmbeddedFault =
  /** Answers come so much later, in order. */
  | { readonly kind: 'delay'; readonly delayMs: number; readonly opcodes?: readonly number[] }
  /** As a stopped process: requests pile up and are carried out when it is healed. */
  | { readonly kind: 'hang' }
  /** The request is carried out, and the connection closed in place of an answer. */
  | { readonly kind: 'fin' | 'reset'; readonly opcodes?: readonly number[] }
  /** The request is carried out, and the answer ends after so many bytes; then the connection closes or not. */
  | {
      readonly kind: 'partial';
      readonly bytes: number;
      readonly isClosing: boolean;
      readonly opcodes?: readonly number[];
    }
  /** Nothing can be stored. */
  | { readonly kind: 'out_of_memory' }
  /** As over the connection limit: a line of text in the place of an answer, then the end. */
  | { readonly kind: 'ascii_error' }
  /** Nobody listens, and all connections are reset. */
  | { readonly kind: 'refuse' };

/** Larger requests end the connection; up to here a value that is too large is answered as such. */
const MOST_REQUEST_BYTES = 16_777_216;

export interface SessionOptions {
  readonly commands: Commands;
  readonly clock: Clock;
  readonly fault: () => EmbeddedFault | undefined;
}

/** One client's connection. */
export class EmbeddedSession {
  readonly #socket: Socket;
  readonly #options: SessionOptions;
  readonly #splitter: FrameSplitter = new FrameSplitter({
    magic: MAGIC.request,
    maxBodyBytes: MOST_REQUEST_BYTES,
  });
  #held: Buffer[] = [];
  /** When the last delayed answer leaves; later ones do not overtake it. */
  #lastLeavesAt = 0;
  readonly #cancels: Set<() => void> = new Set();

  constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk) => this.#receive(chunk));
    // A client that resets its connection is no failure of this process.
    socket.on('error', () => {});
    socket.once('close', () => this.#cancels.forEach((cancel) => cancel()));
    if (options.fault()?.kind === 'ascii_error') this.#refuseInText();
  }

  reset(): void {
    resetSocket(this.#socket);
  }

  resume(): void {
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.#receive(chunk);
  }

  #receive(chunk: Buffer): void {
    const kind = this.#options.fault()?.kind;
    if (kind === 'hang') {
      this.#held.push(chunk);
    } else if (kind === 'ascii_error') {
      this.#refuseInText();
    } else {
      this.#process(chunk);
    }
  }

  #process(chunk: Buffer): void {
    let frames: Buffer | null;
    try {
      frames = this.#splitter.take(chunk);
    } catch {
      // memcached also closes without a word.
      this.#socket.destroy();
      return;
    }
    if (frames === null) return;
    for (const request of decodeFrames(frames)) {
      const { bytes, isLast } = this.#options.commands.run(request);
      this.#answer(request, bytes);
      if (isLast) this.#socket.end();
      if (this.#socket.writableEnded || this.#socket.destroyed) return;
    }
  }

  #answer(request: Frame, bytes: Buffer): void {
    const fault = this.#options.fault();
    if (fault === undefined || !isAbout(fault, request)) {
      this.#send(bytes, 0);
    } else if (fault.kind === 'delay') {
      this.#send(bytes, fault.delayMs);
    } else if (fault.kind === 'fin') {
      this.#socket.end();
    } else if (fault.kind === 'reset') {
      resetSocket(this.#socket);
    } else if (fault.kind === 'partial') {
      this.#socket.write(bytes.subarray(0, fault.bytes));
      if (fault.isClosing) this.#socket.end();
    } else {
      this.#send(bytes, 0);
    }
  }

  #send(bytes: Buffer, delayMs: number): void {
    const now = this.#options.clock.now();
    const leavesAt = Math.max(now + delayMs, this.#lastLeavesAt);
    if (leavesAt <= now) {
      this.#socket.write(bytes);
      return;
    }
    this.#lastLeavesAt = leavesAt;
    const cancel = this.#options.clock.after(leavesAt - now, () => {
      this.#cancels.delete(cancel);
      if (this.#socket.writable) this.#socket.write(bytes);
    });
    this.#cancels.add(cancel);
  }

  #refuseInText(): void {
    this.#socket.end('ERROR Too many open connections\r\n');
  }
}

function isAbout(fault: EmbeddedFault, request: Frame): boolean {
  return !('opcodes' in fault) || fault.opcodes === undefined || fault.opcodes.includes(request.opcode);
}
