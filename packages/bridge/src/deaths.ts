/** What is known about the memory of nodes that are out: whether their processes have ended, or for how long they are silent. */
import { type Clock, NodeError } from './node.ts';

export interface DeathsOptions {
  readonly clock: Clock;
  /** How long a node is silent before its memory counts as lost, milliseconds. */
  readonly lossGraceMs: number;
  /** Rejects when the node does not answer. */
  readonly probe: (index: number) => Promise<void>;
  /** A node whose process had ended answers: another one has been started. */
  readonly onRestart: (index: number) => void;
}

/** A refused connection proves something for so long: another process may be started at any time, milliseconds. */
const PROOF_MS = 500;
/** And silence beyond the grace for so long: it may have ended since the last probe, milliseconds. */
const SILENCE_MS = 2_000;
/** A probe that breaks together with the other connections of a process that ends is made again, so often at most. */
const ATTEMPTS = 3;

interface Standing {
  /** When it was last known to answer, later by the time in which no node did. */
  answeredAt: number;
  /** When its machine last said that nobody listens there; null while that is not what it says. */
  refusedAt: number | null;
  /** When an attempt to reach it last failed. */
  failedAt: number;
}

/** Nodes that are not in here are those that are up, and those that do not exist. */
export class Deaths {
  readonly #options: DeathsOptions;
  readonly #standings: Map<number, Standing> = new Map();
  readonly #inquiries: Map<number, Promise<void>> = new Map();
  /** Since when no node answers. */
  #cutOffAt: number | null = null;

  constructor(options: DeathsOptions) {
    this.#options = options;
  }

  /** The node has just answered, or has just stopped to. */
  answered(index: number): void {
    const now = this.#options.clock.now();
    this.#standings.set(index, { answeredAt: now, refusedAt: null, failedAt: now });
  }

  /** An attempt to reach the node failed. */
  failed(index: number, error: unknown): void {
    const standing = this.#standings.get(index);
    if (standing === undefined) return;
    standing.failedAt = this.#options.clock.now();
    standing.refusedAt = isRefusal(error) ? standing.failedAt : null;
  }

  /**
   * Whether any node answers. The grace runs only meanwhile: that one is silent while all are says more about the way
   * there than about the node, and nobody can be told that we do without it.
   */
  reached(isAny: boolean): void {
    const now = this.#options.clock.now();
    if (!isAny) {
      this.#cutOffAt ??= now;
    } else if (this.#cutOffAt !== null) {
      const lost = now - this.#cutOffAt;
      this.#cutOffAt = null;
      for (const standing of this.#standings.values()) {
        standing.answeredAt = Math.min(now, standing.answeredAt + lost);
      }
    }
  }

  forget(index: number): void {
    this.#standings.delete(index);
  }

  /** Whether nothing in the node's memory is counted on. */
  isLost(index: number): boolean {
    const standing = this.#standings.get(index);
    if (standing === undefined) return true;
    const now = this.#options.clock.now();
    return standing.refusedAt === null
      ? now - standing.answeredAt >= this.#options.lossGraceMs
      : now - standing.refusedAt <= PROOF_MS;
  }

  /** Asks at once whether the node's process has ended. */
  inquire(index: number): void {
    if (this.#inquiries.has(index)) return;
    const inquiry = this.#ask(index).finally(() => this.#inquiries.delete(index));
    this.#inquiries.set(index, inquiry);
  }

  /** Renews old proof, and resolves when nothing more is being found out. */
  async learn(): Promise<void> {
    for (const [index, { refusedAt }] of this.#standings) {
      if (refusedAt !== null && !this.isLost(index)) this.inquire(index);
    }
    await Promise.all(this.#inquiries.values());
  }

  /** Asks those again whose silence is not proved by a late attempt; resolves when all have answered or not. */
  async confirm(indexes: readonly number[]): Promise<void> {
    const now = this.#options.clock.now();
    const asked = indexes.flatMap((index) => {
      const standing = this.#standings.get(index);
      if (standing === undefined || now - standing.failedAt <= SILENCE_MS) return [];
      this.inquire(index);
      return this.#inquiries.get(index) ?? [];
    });
    await Promise.all(asked);
  }

  async #ask(index: number): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      try {
        await this.#options.probe(index);
        const standing = this.#standings.get(index);
        if (standing !== undefined && (standing.refusedAt !== null || this.isLost(index))) {
          this.answered(index);
          this.#options.onRestart(index);
        }
        return;
      } catch (error) {
        if (!(error instanceof NodeError) || error.kind !== 'closed') return this.failed(index, error);
      }
    }
  }
}

/** Whoever had the node's address has ended, and its memory with it. */
function isRefusal(error: unknown): boolean {
  return error instanceof NodeError && error.kind === 'refused';
}
