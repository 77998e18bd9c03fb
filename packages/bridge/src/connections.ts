/** Counts a server's connections. Beyond the limit there are a few places left, for those who ask how it is. */
import type { Socket } from 'node:net';

/**
 * Connections that are taken beyond the limit. Each gets one answer; where all are taken, the one that has kept
 * silent longest gives way, so that whoever speaks soon enough is heard.
 */
export const SPARE_CONNECTIONS = 32;

/** The connections that are open. */
export class Connections {
  readonly #most: number;
  readonly #onRefused: () => void;
  /** Those beyond the limit, the oldest first. */
  readonly #spare: Set<Socket> = new Set();
  /** Of these, the ones that were served all the same. */
  readonly #served: WeakSet<Socket> = new WeakSet();
  /** All of them. Kept here: asking the server how many there are would take a system call for each answer. */
  readonly #open: Set<Socket> = new Set();

  /** `onRefused` is called for each one beyond `most` that was not served. */
  constructor(most: number, onRefused: () => void) {
    this.#most = most;
    this.#onRefused = onRefused;
  }

  get open(): number {
    return this.#open.size;
  }

  add(socket: Socket): void {
    const isOver = this.#open.size - this.#spare.size >= this.#most;
    this.#open.add(socket);
    if (isOver) this.#spare.add(socket);
    socket.once('close', () => this.#forget(socket));
    if (this.#spare.size <= SPARE_CONNECTIONS) return;
    const [oldest] = this.#spare;
    if (oldest === undefined) return;
    // Not only when it says that it is closed: of many that come in one turn each would end the same one again.
    this.#forget(oldest);
    oldest.destroy();
  }

  /** Whether it came when all places were taken. */
  isSpare(socket: Socket): boolean {
    return this.#spare.size > 0 && this.#spare.has(socket);
  }

  /** It asked for nothing that costs a place. */
  serveSpare(socket: Socket): void {
    this.#served.add(socket);
  }

  #forget(socket: Socket): void {
    this.#open.delete(socket);
    if (this.#spare.delete(socket) && !this.#served.has(socket)) this.#onRefused();
  }
}
