/** The nodes in force with their connections, health and fences; the one place where the node list changes. */
import { isDeepStrictEqual } from 'node:util';
import { Health, type NodeState, type Transition } from './health.ts';
import { findRenumbering, formatAddress, type NodeEntry, type NodeList } from './node-list.ts';
import { type Clock, type MemcachedNode, NodeError, type StatsGroup } from './node.ts';
import { type Candidate, type Indexes, rankWindow } from './placement.ts';
import { Trust } from './trust.ts';

export interface ClusterOptions {
  readonly clock: Clock;
  /** A number from 0 up to but not including 1. */
  readonly random: () => number;
  /** Epoch milliseconds. */
  readonly wallClock: () => number;
  /** How far our own event loop is behind, milliseconds. */
  readonly lagMs: () => number;
  /** How long a node is down before its memory counts as lost, milliseconds. */
  readonly lossGraceMs: number;
  /** Makes the driver of a node. It calls back for every connection that breaks without our doing. */
  readonly createNode: (entry: NodeEntry, onConnectionLost: () => void) => MemcachedNode;
  readonly onTransition: (transition: Transition) => void;
}

/** One node as operators see it. */
export interface NodeStatus {
  readonly index: number;
  readonly address: string;
  readonly state: NodeState | 'removed';
  readonly isDraining: boolean;
  /** {@link Clock.now} of the last change of state. */
  readonly since: number;
  readonly reason: string;
}

/** Idle nodes are looked at this often, milliseconds; fences that other bridges set are noticed with it. */
const POLL_MS = 2_000;
/** A node under suspicion is looked at again soon, so that it need not wait for traffic to be cleared or put down. */
const SUSPECT_POLL_MS = 50;

interface Member {
  entry: NodeEntry;
  readonly node: MemcachedNode;
  /** What it is to placement while it is available; made once, because every request looks at some nodes. */
  candidate: Candidate;
}

/** All nodes, and the way to talk to them that keeps their health up to date. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #health: Health;
  readonly #trust: Trust;
  readonly #members: Map<number, Member> = new Map();
  #list: NodeList = [];
  #indexes: Indexes = { all: [], staying: [] };
  #epoch = 0;
  #cancelPoll: () => void = () => {};
  #isClosed = false;
  readonly #firstProbes: Promise<void>[] = [];

  constructor(options: ClusterOptions, list: NodeList) {
    this.#options = options;
    this.#health = new Health({
      clock: options.clock,
      random: options.random,
      lossGraceMs: options.lossGraceMs,
      lagMs: options.lagMs,
      probe: (index) => this.#probe(index),
      admit: (index) => this.#admit(index),
      onTransition: (transition) => this.#onTransition(transition),
    });
    this.#trust = new Trust({
      wallClock: options.wallClock,
      random: options.random,
      nodes: () => this.#usable(),
      run: (index, operation) => this.run(index, operation),
    });
    this.apply(list);
    this.#schedulePoll();
  }

  /**
   * Resolves when every node of the first list has answered or failed its first probe. Nothing may be served
   * before: a node that is admitted late without a fence would not know what was written without it.
   */
  async settled(): Promise<void> {
    await Promise.all(this.#firstProbes);
  }

  /** Counts the changes of the node list. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Whether so many nodes look down that the fault may be the bridge's own. */
  get isInDoubt(): boolean {
    return this.#health.isInDoubt;
  }

  /**
   * Puts another list in force and returns nothing, or returns why it was refused, each reason with its place;
   * then all is as before. Operations under way finish on the nodes they started with.
   */
  apply(list: NodeList): string[] {
    const problems = findRenumbering(this.#list, list);
    if (problems.length > 0 || isDeepStrictEqual(list, this.#list)) return problems;
    for (const entry of list) this.#applyEntry(entry);
    this.#list = list;
    const present = list.filter(({ state }) => state !== 'removed');
    const staying = present.filter(({ state }) => state === 'active');
    this.#indexes = { all: present.map(({ index }) => index), staying: staying.map(({ index }) => index) };
    this.#epoch += 1;
    return [];
  }

  get list(): NodeList {
    return this.#list;
  }

  status(): NodeStatus[] {
    const states = new Map(this.#health.list().map((health) => [health.index, health]));
    return this.#list.map((entry) => {
      const health = states.get(entry.index);
      return {
        index: entry.index,
        address: entry.state === 'removed' ? '' : formatAddress(entry),
        state: health?.state ?? 'removed',
        isDraining: entry.state === 'draining',
        since: health?.since ?? 0,
        reason: health?.reason ?? 'removed from the list',
      };
    });
  }

  /** The nodes that may hold the session, in its order. */
  window(id: string, copies: number): Candidate[] {
    return rankWindow(id, this.#indexes, copies).map((index) => this.#candidate(index));
  }

  /** The node of an index that came from outside, or null when there is none. */
  candidate(index: number | null): Candidate | null {
    return index !== null && this.#members.has(index) ? this.#candidate(index) : null;
  }

  /** Whether nothing in the node's memory is counted on; a node that has left the list holds nothing. */
  isLost(index: number): boolean {
    return !this.#members.has(index) || this.#health.isLost(index);
  }

  #candidate(index: number): Candidate {
    const member = this.#members.get(index);
    if (member !== undefined && this.#health.isAvailable(index)) return member.candidate;
    const isDraining = member?.entry.state === 'draining';
    return { index, isAvailable: false, isDraining, isLost: this.#health.isLost(index) };
  }

  /** Whether an item with this CAS number needs no confirmation by another node. */
  isTrusted(index: number, cas: bigint): boolean {
    return this.#trust.isTrusted(index, cas);
  }

  /** Runs one operation on a node and lets its outcome tell about the node's health. */
  run<T>(index: number, operation: (node: MemcachedNode) => Promise<T>): Promise<T> {
    const member = this.#members.get(index);
    if (member === undefined) return Promise.reject(new NodeError(index, 'run', 'unreachable'));
    return operation(member.node).then(
      (result) => {
        this.#health.succeeded(index);
        return result;
      },
      (error: unknown) => {
        if (error instanceof NodeError) this.#health.failed(index, error.kind);
        throw error;
      },
    );
  }

  /** memcached's own statistics of a node: the general ones, or those of a group. */
  async stats(index: number, group?: StatsGroup): Promise<ReadonlyMap<string, string>> {
    return this.run(index, (node) => node.stats(undefined, group));
  }

  /** Another worker of this bridge found the node down: what it saw, every one of us would see. */
  toldDown(index: number, reason: string): void {
    this.#health.toldDown(index, reason);
  }

  /** Resolves when it is known of the nodes that are out whether their processes have ended. */
  learnDeaths(): Promise<void> {
    return this.#health.learnDeaths();
  }

  /** Resolves when it is known which of these nodes, whose memory counts as lost, still do not answer. */
  confirmLosses(indexes: readonly number[]): Promise<void> {
    return this.#health.confirmLosses(indexes);
  }

  /** No node could be used for a request: look for one now. */
  nudge(): void {
    this.#health.nudge();
  }

  /** Whether at least one node can be used. */
  get hasAvailableNode(): boolean {
    return this.#indexes.all.some((index) => this.#health.isAvailable(index));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPoll();
    this.#health.stop();
    await Promise.all([...this.#members.values()].map(({ node }) => node.close()));
  }

  #applyEntry(entry: NodeEntry): void {
    const member = this.#members.get(entry.index);
    const isSameServer = member !== undefined && formatAddress(member.entry) === formatAddress(entry);
    if (isSameServer && entry.state !== 'removed') {
      const returns = member.entry.state === 'draining' && entry.state === 'active';
      member.entry = entry;
      member.candidate = usable(entry);
      if (returns) this.#readmit(member);
      return;
    }
    if (member !== undefined) {
      this.#health.remove(entry.index);
      this.#trust.remove(entry.index);
      this.#members.delete(entry.index);
      void member.node.close();
    }
    if (entry.state === 'removed') return;
    const node = this.#options.createNode(entry, () => this.#health.connectionLost(entry.index));
    // The nodes of the first list are judged by what they carry, for nothing is served before that; a node
    // that comes later may hold anything.
    this.#members.set(entry.index, { entry, node, candidate: usable(entry) });
    this.#trust.add(entry.index, this.#epoch > 0);
    const firstProbe = this.#health.add(entry.index);
    if (this.#epoch === 0) this.#firstProbes.push(firstProbe);
  }

  /** A node that was drained missed writes: it starts anew, with a fence. */
  #readmit(member: Member): void {
    this.#trust.missedWrites(member.entry.index);
    this.#health.remove(member.entry.index);
    void this.#health.add(member.entry.index);
  }

  async #probe(index: number): Promise<void> {
    const member = this.#members.get(index);
    if (member === undefined) return;
    await member.node.noop();
  }

  async #admit(index: number): Promise<void> {
    const member = this.#members.get(index);
    if (member !== undefined) await this.#trust.admit(member.node);
  }

  #onTransition(transition: Transition): void {
    if (transition.to === 'down') this.#trust.wentOut(transition.index);
    else if (transition.to === 'up') this.#trust.cameBack(transition.index);
    this.#options.onTransition(transition);
  }

  *#usable(): Iterable<{ node: MemcachedNode; isAvailable: boolean }> {
    for (const [index, { node }] of this.#members)
      yield { node, isAvailable: this.#health.isAvailable(index) };
  }

  #schedulePoll(): void {
    if (this.#isClosed) return;
    const isUrgent = this.#health.list().some(({ state }) => state === 'suspected');
    const pause = (isUrgent ? SUSPECT_POLL_MS : POLL_MS) * (0.75 + this.#options.random() * 0.5);
    this.#cancelPoll = this.#options.clock.after(pause, () => void this.#poll());
  }

  /** Notices idle nodes that hang, and what other bridges have marked. */
  async #poll(): Promise<void> {
    await this.#trust.look();
    this.#schedulePoll();
  }
}

function usable({ index, state }: NodeEntry): Candidate {
  return { index, isAvailable: true, isDraining: state === 'draining', isLost: false };
}
