/** One direction of a proxied connection, and what it does to the bytes on their way. */
import type { Socket } from 'node:net';
import { resetSocket } from '../../packages/bridge/src/reset-socket.ts';

/** What is done to the bytes of one direction. Several work together. */
export interface Toxics {
  /** Later by so much, milliseconds. */
  readonly latencyMs?: number;
  /** Later by a random time up to this, in addition; order is kept. */
  readonly jitterMs?: number;
  /** In pieces of this size. */
  readonly sliceBytes?: number;
  /** Pause between pieces, milliseconds. */
  readonly slicePauseMs?: number;
  readonly bytesPerSecond?: number;
  /** After so many bytes of a connection both sides are closed. */
  readonly limitBytes?: number;
  /** With `limitBytes`: the sink is reset instead of closed. */
  readonly isResetting?: boolean;
  /** Bytes vanish. */
  readonly isBlackhole?: boolean;
  /** Bytes wait until the toxic is taken away, even when the source is long gone. */
  readonly isHeld?: boolean;
  /** The end of the source reaches the sink so much later, milliseconds. */
  readonly slowCloseMs?: number;
  /** The end of the source never reaches the sink. */
  readonly isHalfOpen?: boolean;
}

export interface FaultPipeOptions {
  readonly source: Socket;
  readonly sink: Socket;
  readonly random: () => number;
  readonly onBytes: (bytes: number) => void;
}

/** A piece on its way; no bytes stand for the end of the source. */
interface Piece {
  readonly bytes: Buffer | null;
  readonly readyAt: number;
}

export class FaultPipe {
  readonly #options: FaultPipeOptions;
  #toxics: Toxics = {};
  #queue: Piece[] = [];
  #passedBytes = 0;
  #lastReadyAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FaultPipeOptions) {
    this.#options = options;
    const { source, sink } = options;
    source.on('data', (bytes: Buffer) => this.#take(bytes));
    source.once('end', () => this.#takeEnd());
    // An error is always followed by a close, and a close without an end is the end of the source too.
    source.on('error', () => {});
    source.once('close', () => this.#takeEnd());
    sink.once('close', () => clearTimeout(this.#timer));
  }

  poison(toxics: Toxics): void {
    this.#toxics = toxics;
    this.#pump();
  }

  #take(bytes: Buffer): void {
    if (this.#toxics.isBlackhole === true) return;
    const { latencyMs = 0, jitterMs = 0, sliceBytes = bytes.length, slicePauseMs = 0 } = this.#toxics;
    const perByteMs = this.#toxics.bytesPerSecond === undefined ? 0 : 1_000 / this.#toxics.bytesPerSecond;
    let readyAt = performance.now() + latencyMs + this.#options.random() * jitterMs;
    for (let start = 0; start < bytes.length; start += sliceBytes) {
      const piece = bytes.subarray(start, start + sliceBytes);
      readyAt = Math.max(readyAt, this.#lastReadyAt) + piece.length * perByteMs;
      this.#queue.push({ bytes: piece, readyAt });
      this.#lastReadyAt = readyAt;
      readyAt += slicePauseMs;
    }
    this.#pump();
  }

  #takeEnd(): void {
    if (this.#queue.at(-1)?.bytes === null) return;
    const { latencyMs = 0, slowCloseMs = 0 } = this.#toxics;
    const readyAt = Math.max(performance.now() + latencyMs + slowCloseMs, this.#lastReadyAt);
    this.#queue.push({ bytes: null, readyAt });
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    while (this.#toxics.isHeld !== true && !this.#options.sink.destroyed) {
      const [piece] = this.#queue;
      if (piece === undefined) return;
      const waitMs = piece.readyAt - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), waitMs);
        return;
      }
      if (piece.bytes === null && this.#toxics.isHalfOpen === true) return;
      this.#queue.shift();
      this.#deliver(piece.bytes);
    }
  }

  #deliver(bytes: Buffer | null): void {
    const { sink, source, onBytes } = this.#options;
    if (bytes === null) {
      if (sink.writable) sink.end();
      return;
    }
    const limit = this.#toxics.limitBytes ?? Number.POSITIVE_INFINITY;
    const part = bytes.subarray(0, Math.max(0, limit - this.#passedBytes));
    this.#passedBytes += part.length;
    onBytes(part.length);
    if (part.length > 0 && sink.writable) sink.write(part);
    if (this.#passedBytes < limit) return;
    source.destroy();
    if (this.#toxics.isResetting === true) resetSocket(sink);
    else sink.end();
  }
}
