/** Which items on which node can be believed without asking another node; see docs/how-it-works.md. */
import { type Fence, NO_FENCE, type Note, readFence, readNotes, rewriteNotes, setFence } from './marks.ts';
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

/** A peer's note that is neither renewed nor taken away counts for this many looks. */
const NOTE_LOOKS = 3;

interface Standing {
  fence: Fence;
  /** The node has missed writes of this bridge: it needs a new fence before it is used. */
  needsFence: boolean;
  /** This bridge has left notes about the node since it was last written to. */
  isNoted: boolean;
  /** Beats of the notes of other bridges for which the node is out, by bridge. */
  readonly beats: Map<string, number>;
  /** Looks for which the notes still count; above 0 the node's items need confirmation. */
  notedLooks: number;
}

/** The notes that one node carries. */
interface Reading {
  readonly node: MemcachedNode;
  readonly notes: readonly Note[];
}

/** Fences of all nodes, kept in step with those that other bridges set. */
export class Trust {
  readonly #options: TrustOptions;
  readonly #standings: Map<number, Standing> = new Map();
  /** Names this bridge in notes. */
  readonly #bridge: string;
  #lastBeat = 0;

  constructor(options: TrustOptions) {
    this.#options = options;
    this.#bridge = this.#makeName();
  }

  /** Begins with a node. `needsFence`: whatever it holds already must be confirmed. */
  add(index: number, needsFence: boolean): void {
    this.#standings.set(index, {
      fence: NO_FENCE,
      needsFence,
      isNoted: false,
      beats: new Map(),
      notedLooks: 0,
    });
  }

  remove(index: number): void {
    this.#standings.delete(index);
  }

  /** The node is no longer written to: the others are told at once. */
  wentOut(index: number): void {
    this.missedWrites(index);
    void this.#tell();
  }

  /** Before the node is used again it needs a fence. */
  missedWrites(index: number): void {
    const standing = this.#standings.get(index);
    if (standing !== undefined) standing.needsFence = true;
  }

  /** The node is written to again. */
  cameBack(index: number): void {
    const standing = this.#standings.get(index);
    if (standing?.isNoted !== true) return;
    standing.isNoted = false;
    void this.#tell();
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
    const usable = this.#usable();
    // Notes first: a bridge takes one away only after it has set a fence, so that fence is met then.
    const notes = await this.#readNotesFor(node, usable);
    const fence = await readFence(node);
    const isStale = standing.needsFence || this.#about(node.index, notes).some(isNotedSince(fence));
    standing.fence = isStale ? await setFence(node, this.#makeName()) : fence;
    standing.needsFence = false;
    for (const index of this.#standings.keys()) this.#hear(index, notes);
  }

  /** Looks at the marks on all nodes that can be used, and renews the notes about those that cannot. */
  async look(): Promise<void> {
    const usable = this.#usable();
    if (usable.length === 0) return;
    const readings = await this.#runAll(usable, async (node) => ({ node, notes: await readNotes(node) }));
    // Fences only now: whoever took a note away had set one before.
    const looks = await this.#runAll(
      readings.map(({ node }) => node),
      (node) => this.#lookAt(node, readings),
    );
    const notes = readings.flatMap((reading) => reading.notes);
    const isComplete = looks.length === usable.length;
    // A fence that cannot be set now is set at the next look.
    await Promise.allSettled(
      [...this.#standings.keys()].map((index) => this.#heed(index, notes, isComplete)),
    );
  }

  /** Puts this bridge's notes in order on every node that can be used. */
  async #tell(): Promise<void> {
    await Promise.allSettled(this.#usable().map((node) => this.#renewNotes(node)));
  }

  #usable(): MemcachedNode[] {
    return [...this.#options.nodes()].filter(({ isAvailable }) => isAvailable).map(({ node }) => node);
  }

  /** What the nodes answer that do answer. */
  async #runAll<T>(
    nodes: readonly MemcachedNode[],
    operation: (node: MemcachedNode) => Promise<T>,
  ): Promise<T[]> {
    const answers = await Promise.allSettled(nodes.map(({ index }) => this.#options.run(index, operation)));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  /** The notes on a node that is about to be used, and on the others; a bridge that has none yet asks all. */
  async #readNotesFor(node: MemcachedNode, usable: readonly MemcachedNode[]): Promise<Note[]> {
    const all = [...this.#options.nodes()].map((each) => each.node);
    const witnesses = new Set([node, ...(usable.length > 0 ? usable : all)]);
    const answers = await Promise.allSettled([...witnesses].map(readNotes));
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  }

  /** The notes of other bridges about a node. */
  #about(index: number, notes: readonly Note[]): Note[] {
    return notes.filter((note) => note.nodeIndex === index && note.bridge !== this.#bridge);
  }

  /** The nodes that miss this bridge's writes; one that has just started has none, as it serves nobody yet. */
  #missing(): number[] {
    const out = [...this.#options.nodes()].filter(({ isAvailable }) => !isAvailable);
    return out
      .map(({ node }) => node.index)
      .filter((index) => this.#standings.get(index)?.needsFence === true);
  }

  #note(nodeIndex: number): Note {
    // Grows also when the clock is set back.
    this.#lastBeat = Math.max(this.#lastBeat + 1, Math.floor(this.#options.wallClock()));
    const standing = this.#standings.get(nodeIndex);
    if (standing !== undefined) standing.isNoted = true;
    return { nodeIndex, bridge: this.#bridge, fenceName: standing?.fence.name ?? '', beat: this.#lastBeat };
  }

  /** Leaves this bridge's notes on a node and takes old ones away, also those of bridges that have ended. */
  async #renewNotes(node: MemcachedNode): Promise<void> {
    await rewriteNotes(node, (notes) => [
      ...this.#missing().map((index) => this.#note(index)),
      ...notes.filter((note) => note.bridge !== this.#bridge && !this.#isDead(note)),
    ]);
  }

  async #lookAt(node: MemcachedNode, readings: readonly Reading[]): Promise<void> {
    const fence = await readFence(node);
    const standing = this.#standings.get(node.index);
    if (standing !== undefined && fence.cas > standing.fence.cas) standing.fence = fence;
    const notes = readings.find((reading) => reading.node === node)?.notes ?? [];
    const isOld = notes.some((note) => note.bridge === this.#bridge || this.#isDead(note));
    if (isOld || this.#missing().length > 0) await this.#renewNotes(node);
  }

  /** A node that is out for another bridge misses that bridge's writes although we can reach it. */
  async #heed(index: number, notes: readonly Note[], isComplete: boolean): Promise<void> {
    const standing = this.#standings.get(index);
    if (standing === undefined || this.#hear(index, notes) || standing.notedLooks === 0) return;
    if (isComplete && this.#about(index, notes).length === 0) {
      standing.notedLooks = 0;
      standing.beats.clear();
      return;
    }
    // The notes are renewed no more: their bridge died before it had the node back. (One that is out for this
    // bridge, too, gets its fence when it is back.)
    if (standing.notedLooks === 1 && !standing.needsFence) {
      standing.fence = await this.#options.run(index, (node) => setFence(node, this.#makeName()));
    }
    standing.notedLooks -= 1;
  }

  /**
   * Whether a bridge has left or renewed a note about the node. One that is met for the first time may be an old one,
   * of a bridge that has ended; it counts all the same until its looks have run out.
   */
  #hear(index: number, notes: readonly Note[]): boolean {
    const standing = this.#standings.get(index);
    if (standing === undefined) return false;
    const news = this.#about(index, notes).filter(({ bridge, beat }) => beat > lastBeat(standing, bridge));
    for (const { bridge, beat } of news)
      standing.beats.set(bridge, Math.max(beat, lastBeat(standing, bridge)));
    if (news.length > 0) standing.notedLooks = NOTE_LOOKS;
    return news.length > 0;
  }

  /** Whether the note's looks have run out. */
  #isDead({ nodeIndex, bridge, beat }: Note): boolean {
    const standing = this.#standings.get(nodeIndex);
    return standing !== undefined && standing.notedLooks === 0 && beat <= lastBeat(standing, bridge);
  }

  #makeName(): string {
    return `${Math.floor(this.#options.wallClock()).toString(36)}-${Math.floor(this.#options.random() * 2 ** 32).toString(36)}`;
  }
}

/** The last note of this bridge that was met. */
function lastBeat({ beats }: Standing, bridge: string): number {
  return beats.get(bridge) ?? Number.NEGATIVE_INFINITY;
}

/** Whether the node was out for the note's bridge after it got this fence. */
function isNotedSince(fence: Fence): (note: Note) => boolean {
  return ({ fenceName }) => fenceName === fence.name;
}
