/** One request's conversation with the nodes about one session: asking, remembering, the time that is left. */
import type { SessionRef } from '@memsession/client/protocol';
import type { Cluster } from './cluster.ts';
import type { Doubts } from './doubts.ts';
import type { Answer, Evidence } from './evidence.ts';
import {
  type Clock,
  type Item,
  type MemcachedNode,
  NodeError,
  type NewItem,
  type StoreOutcome,
} from './node.ts';
import { type Candidate, firstOf, place, type Placement } from './placement.ts';

export interface LookupContext {
  readonly cluster: Cluster;
  readonly doubts: Doubts;
  readonly clock: Clock;
  /** How many copies a session is written to. */
  readonly copies: number;
  /** For all node operations of one request together, milliseconds. */
  readonly budgetMs: number;
  /** For one node operation, milliseconds. */
  readonly nodeTimeoutMs: number;
}

/** What became of a conditional write. `failed`: it may or may not have been applied. */
export type WriteOutcome =
  StoreOutcome | { readonly stored: false; readonly reason: 'failed' | 'out_of_memory' };

/** All that one request has learnt so far about one session. */
export class Lookup {
  readonly key: string;
  readonly hintIndex: number | null;
  readonly placement: Placement;
  readonly answers: Map<number, Answer> = new Map();
  /** Nodes that failed during this request; it asks them no more. */
  readonly #failed: Set<number> = new Set();
  /** Nodes that had no memory for the record, or take none of its size; they are asked, and not written to. */
  readonly #full: Set<number> = new Set();
  #hasMetLimit = false;
  readonly #context: LookupContext;
  readonly #endsAt: number;

  constructor(context: LookupContext, app: string, ref: SessionRef) {
    this.#context = context;
    this.key = `${app}:${ref.id}`;
    this.hintIndex = ref.index;
    const { cluster } = context;
    this.placement = place(
      cluster.window(ref.id, context.copies),
      context.copies,
      cluster.candidate(ref.index),
    );
    this.#endsAt = context.clock.now() + context.budgetMs;
  }

  /** The nodes that are to hold the session, without those that have failed. The first is the anchor. */
  get copies(): readonly number[] {
    return this.#nearest(this.#context.copies);
  }

  /** The copies and one more: with it, what is written there outlives as many nodes as there are copies. */
  get copiesAndSpare(): readonly number[] {
    return this.#nearest(this.#context.copies + 1);
  }

  #nearest(most: number): readonly number[] {
    const { copies, spares } = this.placement;
    if (most === copies.length && this.#failed.size === 0 && this.#full.size === 0) return copies;
    const usable = [...copies, ...spares].filter(
      (index) => !this.#failed.has(index) && !this.#full.has(index),
    );
    return usable.slice(0, most);
  }

  /** Whether a node takes no record of this size, however much memory it has. */
  get hasMetLimit(): boolean {
    return this.#hasMetLimit;
  }

  /** Whether memory was missing on a node. */
  get hasMetFullNode(): boolean {
    return this.#full.size > 0;
  }

  /**
   * Whether every writer who has a quorum meets every other one at one of these nodes: they are most of the session's
   * first nodes, of which there is one more than copies. Nodes whose memory counts as lost are none of them.
   * Where there are only two nodes at all, one is enough.
   */
  isQuorum(indexes: Iterable<number>): boolean {
    const { cluster, copies } = this.#context;
    const { window } = this.placement;
    // The list of nodes as it was when the request began: it goes on where it started, also when that is drained now.
    const first = firstOf(window, copies, ({ index }) => cluster.isLost(index));
    const most = window.length > 2 ? Math.floor(first.length / 2) + 1 : 1;
    const taken = [...indexes];
    const met = first.filter((index) => taken.includes(index)).length;
    return met >= Math.min(copies, most, first.length);
  }

  /** Whether they are a quorum, at the latest when it is known which nodes have lost their memory. */
  async reachesQuorum(indexes: Iterable<number>): Promise<boolean> {
    return this.isQuorum(indexes) || ((await this.learnsOfLoss()) && this.isQuorum(indexes));
  }

  /** How many nodes of the session have lost their memory, as far as is known. */
  get lost(): number {
    const { cluster } = this.#context;
    let lost = 0;
    for (const { index } of this.placement.window) if (cluster.isLost(index)) lost += 1;
    return lost;
  }

  /** Those that were silent for long may answer by now, and others may have used them all the while. */
  async confirmLosses(): Promise<void> {
    const { cluster } = this.#context;
    await this.#within(cluster.confirmLosses(this.placement.window.map(({ index }) => index)));
  }

  /** What nodes have answered is not to be used any more: they are asked again. */
  forget(): void {
    this.answers.clear();
  }

  /** Waits for what is just being found out about nodes that have fallen: whether their processes have ended. */
  async learnDeaths(): Promise<void> {
    await this.#within(this.#context.cluster.learnDeaths());
  }

  /** Waits for this, which never rejects, but not beyond the time that is left. */
  #within(work: Promise<void>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#context.clock.after(this.#timeLeft(), resolve);
      void work.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** For when the nodes that are left are not enough: whether it became known of one that its memory is lost. */
  async learnsOfLoss(): Promise<boolean> {
    const before = this.lost;
    await this.learnDeaths();
    return this.lost > before;
  }

  /** What is known now, for a reader who accepts no version below `floor`. */
  evidence(floor: number | null): Evidence {
    const window = this.placement.window.map((candidate) => this.#asKnownNow(candidate));
    return { window, answers: this.answers, copies: this.#context.copies, floor };
  }

  #asKnownNow(candidate: Candidate): Candidate {
    const isAvailable = candidate.isAvailable && !this.#failed.has(candidate.index);
    const isLost = this.#context.cluster.isLost(candidate.index);
    const isAsBefore = isAvailable === candidate.isAvailable && isLost === candidate.isLost;
    return isAsBefore ? candidate : { ...candidate, isAvailable, isLost };
  }

  /** Asks these nodes at the same time. With a lifetime, the items get it in the same step. */
  ask(indexes: readonly number[], ttlSeconds: number | null = null): Promise<unknown> {
    const open = this.#failed.size === 0 ? indexes : indexes.filter((index) => !this.#failed.has(index));
    return Promise.all(open.map((index) => this.#askOne(index, ttlSeconds)));
  }

  /** Whether the node failed during this request. */
  hasFailed(index: number): boolean {
    return this.#failed.has(index);
  }

  /** Asks every node of the window that can be asked and has not answered. */
  async askAll(ttlSeconds: number | null = null): Promise<void> {
    const open = this.placement.window.filter(
      ({ index, isAvailable }) => isAvailable && !this.answers.has(index),
    );
    await this.ask(
      open.map(({ index }) => index),
      ttlSeconds,
    );
  }

  /**
   * Writes to one node if it still holds exactly what it answered before (`seen`; null: nothing). A write that
   * fails leaves a doubt; one that is refused leaves the node to be asked again.
   */
  async write(index: number, item: NewItem, seen: Item | null): Promise<WriteOutcome> {
    const deadline = this.#timeLeft();
    try {
      const outcome = await this.#context.cluster.run(index, (node) =>
        seen === null ? node.add(this.key, item, deadline) : node.cas(this.key, item, seen.cas, deadline),
      );
      if (outcome.stored)
        this.#remember(index, { version: item.version, value: item.value, cas: outcome.cas });
      else this.answers.delete(index);
      return outcome;
    } catch (error) {
      return { stored: false, reason: this.#writeFailed(index, error) };
    }
  }

  /** Gives the items on these nodes a lifetime, without reading them. */
  async touch(indexes: readonly number[], ttlSeconds: number): Promise<void> {
    const touchOne = (index: number): Promise<unknown> =>
      this.#run(index, (node, deadline) => node.touch(this.key, ttlSeconds, deadline)).catch(
        (error: unknown) => this.#askFailed(index, error),
      );
    await Promise.all(indexes.map(touchOne));
  }

  /** What this node says about the session must be confirmed by others until it has been rewritten. */
  doubt(index: number): void {
    this.#context.doubts.add(index, this.key);
  }

  get hasTimeLeft(): boolean {
    return this.#context.clock.now() < this.#endsAt;
  }

  #askOne(index: number, ttlSeconds: number | null): Promise<void> {
    const asked = this.#run(index, (node, deadline) =>
      ttlSeconds === null ? node.gets(this.key, deadline) : node.gat(this.key, ttlSeconds, deadline),
    );
    return asked.then(
      (item) => void this.answers.set(index, { index, item, isTrusted: this.#isTrusted(index, item) }),
      (error: unknown) => this.#askFailed(index, error),
    );
  }

  #run<T>(index: number, operation: (node: MemcachedNode, deadlineMs: number) => Promise<T>): Promise<T> {
    const deadline = this.#timeLeft();
    return this.#context.cluster.run(index, (node) => operation(node, deadline));
  }

  #isTrusted(index: number, item: Item | null): boolean {
    const { cluster, doubts } = this.#context;
    if (doubts.has(index, this.key)) return false;
    return item === null || cluster.isTrusted(index, item.cas);
  }

  /** Our own write changed the CAS number, so no earlier write can be applied any more. */
  #remember(index: number, item: Item): void {
    this.#context.doubts.clear(index, this.key);
    this.answers.set(index, { index, item, isTrusted: true });
  }

  #writeFailed(index: number, error: unknown): 'failed' | 'out_of_memory' {
    rethrowUnlessNodeError(error);
    if (error.kind === 'out_of_memory' || error.kind === 'too_large') {
      this.#full.add(index);
      this.#hasMetLimit ||= error.kind === 'too_large';
      return 'out_of_memory';
    }
    // The node may have it, or get it yet.
    this.doubt(index);
    this.#noteFailure(index);
    return 'failed';
  }

  #askFailed(index: number, error: unknown): void {
    rethrowUnlessNodeError(error);
    this.#noteFailure(index);
  }

  #noteFailure(index: number): void {
    this.answers.delete(index);
    this.#failed.add(index);
  }

  #timeLeft(): number {
    const left = this.#endsAt - this.#context.clock.now();
    return Math.max(1, Math.min(left, this.#context.nodeTimeoutMs));
  }
}

function rethrowUnlessNodeError(error: unknown): asserts error is NodeError {
  if (!(error instanceof NodeError)) throw error;
}
