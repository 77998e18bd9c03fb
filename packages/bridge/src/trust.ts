/** Which items on which node can be believed without asking another node; see docs/how-it-works.md. */
import { type Fence, leaveNotes, NO_FENCE, type Note, readFence, readNotes, setFence } from './marks.ts';
import type { MemcachedNode } from './node.ts';

export interface TrustOptions {
  /** Epoch milliseconds. */
  readonly wallClock: () => number;
  /** A number from 0 up to but not including 1. */
  readonly random: () => number;
  /** All nodes, and whether each can be used now. */
  readonly nodes: () => Iterable<{ readonly node: MemcachedNode; readonly isAvailable: boolean }>;
  /** Runs an operation on a node and lets its outcome tell about the node's health. */
  readonly run: <T>(index: number, operation: (node: MemcachedNode) => Promise<T>) => Promise<T>;
}

/** A peer's note counts for this many looks after its last renewal. */
const NOTE_LOOKS = 3;

interface Standing {
  fence: Fence;
  /** The node has missed writes of this bridge: it needs a new fence before it is used. */
  needsFence: boolean;
  /** Beats of the notes of other bridges for which the node is out, by bridge. */
  readonly beats: Map<string, number>;
  /** Looks for which the notes still count; above 0 the node's items need confirmation. */
  notedLooks: number;
}

/** Fences of all nodes, kept in step with those that other bridges set. */
export class Trust {
  readonly #options: TrustOptions;
  readonly #standings: Map<number, Standing> = new Map();
  /** Names this bridge in notes. */
  readonly #bridge: string;

  constructor(options: TrustOptions) {
    this.#options = options;
    this.#bridge = this.#makeName();
  }

  /** Begins with a node. `needsFence`: whatever it holds already must be confirmed. */
  add(index: number, needsFence: boolean): void {
    this.#standings.set(index, { fence: NO_FENCE, needsFence, beats: new Map(), notedLooks: 0 });
  }

  remove(index: number): void {
    this.#standings.delete(index);
  }

  /** The node is no longer written to. */
  wentOut(index: number): void {
    const standing = this.#standings.get(index);
    if (standing !== undefined) standing.needsFence = true;
  }

  /** Whether an item with this CAS number is as new as the last write that this bridge knows to be there. */
  isTrusted(index: number, cas: bigint): boolean {
    const standing = this.#standings.get(index);
    return standing !== undefined && standing.notedLooks === 0 && cas > standing.fence.cas;
  }

  /** Makes a node that answers fit for use; rejects when its fence cannot be read or set. */
  async admit(node: MemcachedNode): Promise<void> {
    const standing = this.#standings.get(node.index);
    if (standing === undefined) return;
    const fence = await readFence(node);
    const isStale = standing.needsFence || (await this.#wasOutSince(node.index, fence));
    standing.fence = isStale ? await setFence(node, this.#makeName()) : fence;
    standing.needsFence = false;
  }

  /** Looks at the marks on all nodes that can be used, and renews the notes about those that cannot. */
  async look(): Promise<void> {
    const nodes = [...this.#options.nodes()];
    const notes = nodes.filter(({ isAvailable }) => !isAvailable).map(({ node }) => this.#note(node.index));
    const usable = nodes.filter(({ isAvailable }) => isAvailable).map(({ node }) => node.index);
    const { run } = this.#options;
    const looks = await Promise.allSettled(
      usable.map((index) => run(index, (node) => this.#lookAt(node, notes))),
    );
    const seen = looks.flatMap((look) => (look.status === 'fulfilled' ? look.value : []));
    // A fence that cannot be set now is set at the next look.
    await Promise.allSettled(usable.map((index) => this.#heed(index, seen)));
  }

  /** Tells the other nodes at once that one is out. */
  async spread(index: number): Promise<void> {
    const nodes = [...this.#options.nodes()].filter(
      ({ node, isAvailable }) => isAvailable && node.index !== index,
    );
    const now = this.#options.wallClock();
    await Promise.allSettled(nodes.map(({ node }) => leaveNotes(node, [this.#note(index)], now)));
  }

  #note(nodeIndex: number): Note {
    const fenceName = this.#standings.get(nodeIndex)?.fence.name ?? '';
    return { nodeIndex, bridge: this.#bridge, fenceName, beat: Math.floor(this.#options.wallClock()) };
  }

  /** Whether a bridge noted that the node was out after it got the fence that it carries. */
  async #wasOutSince(index: number, fence: Fence): Promise<boolean> {
    const witnesses = [...this.#options.nodes()].filter(({ node }) => node.index !== index);
    const answers = await Promise.allSettled(witnesses.map(({ node }) => readNotes(node)));
    const notes = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    return notes.some((note) => note.nodeIndex === index && note.fenceName === fence.name);
  }

  async #lookAt(node: MemcachedNode, notes: readonly Note[]): Promise<Note[]> {
    const fence = await readFence(node);
    const standing = this.#standings.get(node.index);
    if (standing !== undefined && fence.cas > standing.fence.cas) {
      standing.fence = fence;
      // Whoever set it has the node back; notes from before are settled by it.
      standing.notedLooks = 0;
    }
    const found = await readNotes(node);
    if (notes.length > 0) await leaveNotes(node, notes, this.#options.wallClock());
    return found;
  }

  /** A node that is out for another bridge misses that bridge's writes although we can reach it. */
  async #heed(index: number, notes: readonly Note[]): Promise<void> {
    const standing = this.#standings.get(index);
    if (standing === undefined) return;
    const fresh = notes.filter((note) => this.#isNews(note, index, standing));
    for (const { bridge, beat } of fresh) standing.beats.set(bridge, beat);
    if (fresh.length > 0) {
      standing.notedLooks = NOTE_LOOKS;
    } else if (standing.notedLooks > 0) {
      // The notes have ended without a new fence: their bridge died before it had the node back.
      if (standing.notedLooks === 1) {
        standing.fence = await this.#options.run(index, (node) => setFence(node, this.#makeName()));
      }
      standing.notedLooks -= 1;
    }
  }

  #isNews(note: Note, index: number, standing: Standing): boolean {
    if (note.nodeIndex !== index || note.bridge === this.#bridge) return false;
    const known = standing.beats.get(note.bridge);
    if (known === undefined) standing.beats.set(note.bridge, note.beat);
    // A note that is met for the first time may be an old one; it counts when it is renewed.
    return known !== undefined && note.beat > known;
  }

  #makeName(): string {
    return `${Math.floor(this.#options.wallClock()).toString(36)}-${Math.floor(this.#options.random() * 2 ** 32).toString(36)}`;
  }
}
