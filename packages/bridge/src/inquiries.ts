/** Asks at once, when a node has fallen, whether its process has ended. */
import { NodeError } from './node.ts';

/** A probe that breaks together with the other connections of a process that ends is made again, so often at most. */
const ATTEMPTS = 3;

export class Inquiries {
  readonly #probe: (index: number) => Promise<void>;
  readonly #open: Set<Promise<void>> = new Set();

  constructor(probe: (index: number) => Promise<void>) {
    this.#probe = probe;
  }

  /** Calls back when the node's machine says that nobody listens there. */
  start(index: number, onDeath: () => void): void {
    const inquiry = this.#ask(index, onDeath).finally(() => this.#open.delete(inquiry));
    this.#open.add(inquiry);
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }

  async #ask(index: number, onDeath: () => void): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        await this.#probe(index);
        return;
      } catch (error) {
        if (isRefusal(error)) onDeath();
        if (!(error instanceof NodeError) || error.kind !== 'closed') return;
      }
    }
  }
}

/** Whoever had the node's address has ended, and its memory with it. */
export function isRefusal(error: unknown): boolean {
  return error instanceof NodeError && error.kind === 'refused';
}
