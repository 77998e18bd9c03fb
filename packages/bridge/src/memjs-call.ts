/** An operation under way and the caller who waits for it. */
import type { Exchange } from './memjs-exchange.ts';
import { BadAnswerError, MORE } from './memjs-operations.ts';
import type { Operation } from './memjs-operations.ts';
import type { Answer } from './memjs-socket.ts';
import { NodeError } from './node.ts';
import type { NodeErrorKind } from './node.ts';

export interface CallOptions<T> {
  readonly operation: Operation<T>;
  readonly waitMs: number;
  readonly nodeIndex: number;
  readonly resolve: (result: T) => void;
  readonly reject: (error: NodeError) => void;
  readonly onSettled: () => void;
}

/** Settles its caller's promise exactly once. */
export class Call<T> implements Exchange {
  readonly #options: CallOptions<T>;
  readonly opcode: number;
  readonly frame: Buffer;
  readonly isMutation: boolean;
  readonly waitMs: number;
  expiresAt = 0;
  hasGrace = false;
  isWaiting = true;

  constructor(options: CallOptions<T>) {
    this.#options = options;
    this.opcode = options.operation.opcode;
    this.frame = options.operation.frame;
    this.isMutation = options.operation.isMutation;
    this.waitMs = options.waitMs;
  }

  accept(answer: Answer): 'done' | 'more' | 'broken' {
    try {
      const result = this.#options.operation.decode(answer);
      if (result === MORE) return 'more';
      if (this.#settle()) this.#options.resolve(result);
    } catch (cause) {
      const kind = cause instanceof BadAnswerError ? cause.kind : 'protocol';
      if (kind === 'protocol') return 'broken';
      this.fail(kind, cause);
    }
    return 'done';
  }

  fail(kind: NodeErrorKind, cause?: unknown): void {
    if (!this.#settle()) return;
    const { nodeIndex, operation, reject } = this.#options;
    reject(new NodeError(nodeIndex, operation.name, kind, cause));
  }

  /** Whether the caller still waited. */
  #settle(): boolean {
    if (!this.isWaiting) return false;
    this.isWaiting = false;
    this.#options.onSettled();
    return true;
  }
}
