/** Which nodes are up, suspected, down or probing, and by what evidence. Clock, random and probes are given. */
import { Deaths } from './deaths.ts';
import type { Clock, NodeErrorKind } from './node.ts';

export type NodeState = 'up' | 'suspected' | 'down' | 'probing';

/** One change of a node's state, for logs, metrics and the dashboard. */
export interface Transition {
  readonly index: number;
  readonly from: NodeState;
  readonly to: NodeState;
  /** In words, e.g. `3 time-outs in a row`. */
  readonly reason: string;
  /** {@link Clock.now} at the change. */
  readonly at: number;
}

export interface HealthOptions {
  readonly clock: Clock;
  /** A number from 0 up to but not including 1. */
  readonly random: () => number;
  /** How long a node is down before its memory counts as lost, milliseconds. */
  readonly lossGraceMs: number;
  /** Rejects when the node does not answer; on a connection of its own. */
  readonly probe: (index: number) => Promise<void>;
  /** Makes a node that answers again fit for use (its fence); rejects when that failed. */
  readonly admit: (index: number) => Promise<void>;
  /** How far our own event loop is behind, milliseconds; time-outs prove nothing then. */
  readonly lagMs: () => number;
  readonly onTransition: (transition: Transition) => void;
}

/** Time-outs in a row that put a node down. */
const SOFT_LIMIT = 3;
const PROBE_FIRST_MS = 1_000;
const PROBE_LONGEST_MS = 30_000;
/** Between the first good probe and the second. */
const PROBE_CONFIRM_MS = 100;
/** A node that falls again within this time after it came up has flapped. */
const FLAP_WINDOW_MS = 60_000;
/** A probe that traffic asks for comes at most this often. */
const NUDGE_INTERVAL_MS = 200;
/** Beyond this lag of our own a time-out is no evidence. */
const LAG_LIMIT_MS = 100;

interface Entry {
  readonly index: number;
  state: NodeState;
  since: number;
  reason: string;
  softFailures: number;
  failedProbes: number;
  goodProbes: number;
  flaps: number;
  upSince: number;
  hasBeenUp: boolean;
  isProbing: boolean;
  lastProbeAt: number;
  cancelProbe: () => void;
}

/** The health of all nodes. Only good probes bring a node back; a late answer to old traffic does not. */
export class Health {
  readonly #options: HealthOptions;
  readonly #entries: Map<number, Entry> = new Map();
  readonly #deaths: Deaths;
  #isStopped = false;

  constructor(options: HealthOptions) {
    this.#options = options;
    const { clock, lossGraceMs, probe } = options;
    this.#deaths = new Deaths({ clock, lossGraceMs, probe, onRestart: (index) => this.#restarted(index) });
  }

  /** Starts to watch a node; it is used after its first good probe. Resolves when that probe has ended. */
  add(index: number): Promise<void> {
    const now = this.#options.clock.now();
    const entry: Entry = {
      index,
      state: 'probing',
      since: now,
      reason: 'not asked yet',
      softFailures: 0,
      failedProbes: 0,
      goodProbes: 0,
      flaps: 0,
      upSince: 0,
      hasBeenUp: false,
      isProbing: false,
      lastProbeAt: Number.NEGATIVE_INFINITY,
      cancelProbe: () => {},
    };
    this.#entries.set(index, entry);
    this.#deaths.answered(index);
    return this.#runProbe(entry);
  }

  remove(index: number): void {
    this.#entries.get(index)?.cancelProbe();
    this.#entries.delete(index);
    this.#deaths.forget(index);
  }

  /** Ends all probing for good. */
  stop(): void {
    this.#isStopped = true;
    for (const entry of this.#entries.values()) entry.cancelProbe();
  }

  isAvailable(index: number): boolean {
    const state = this.#entries.get(index)?.state;
    return state === 'up' || state === 'suspected';
  }

  /** Whether nothing in the node's memory is counted on: its process has ended, or it has been out for long. */
  isLost(index: number): boolean {
    return !this.isAvailable(index) && this.#deaths.isLost(index);
  }

  /** Resolves when it is known of all nodes that are out whether their processes have ended. */
  learnDeaths(): Promise<void> {
    return this.#deaths.learn();
  }

  /** Asks those again that are taken to have lost their memory for nothing but their silence. */
  confirmLosses(indexes: readonly number[]): Promise<void> {
    return this.#deaths.confirm(indexes.filter((index) => !this.isAvailable(index)));
  }

  /** State, since when ({@link Clock.now}) and why, of each node. */
  list(): { index: number; state: NodeState; since: number; reason: string }[] {
    return [...this.#entries.values()].map(({ index, state, since, reason }) => ({
      index,
      state,
      since,
      reason,
    }));
  }

  /** The node answered; what it said does not matter. */
  succeeded(index: number): void {
    const entry = this.#entries.get(index);
    if (entry === undefined || entry.softFailures === 0) return;
    entry.softFailures = 0;
    if (entry.state === 'suspected') this.#change(entry, 'up', 'answers again');
  }

  /**
   * An operation on the node failed. Only what no client can cause counts: no connection (hard), silence or
   * nonsense (soft). An operation that was cut off together with its connection says nothing by itself.
   */
  failed(index: number, kind: NodeErrorKind): void {
    const entry = this.#entries.get(index);
    if (entry === undefined || !this.isAvailable(index)) return;
    if (kind === 'refused') this.#putDown(entry, 'connection refused');
    else if (kind === 'unreachable') this.#putDown(entry, 'no connection');
    else if (kind === 'auth') this.#putDown(entry, 'authentication failed');
    else if (kind === 'timeout' || kind === 'protocol') this.#countSoft(entry, kind);
  }

  /** An established connection broke without our doing. */
  connectionLost(index: number): void {
    const entry = this.#entries.get(index);
    if (entry !== undefined && this.isAvailable(index)) this.#putDown(entry, 'connection lost');
  }

  /** Another process that talks to the same node has evidence enough that it is down. */
  toldDown(index: number, reason: string): void {
    const entry = this.#entries.get(index);
    if (entry !== undefined && this.isAvailable(index)) this.#putDown(entry, reason);
  }

  /** Traffic finds no node to use: probe now rather than at the end of the pause. */
  nudge(): void {
    const now = this.#options.clock.now();
    for (const entry of this.#entries.values()) {
      if (this.isAvailable(entry.index) || now - entry.lastProbeAt < NUDGE_INTERVAL_MS) continue;
      entry.cancelProbe();
      void this.#runProbe(entry);
    }
  }

  /** Whether so many nodes look down that the fault may be ours. */
  get isInDoubt(): boolean {
    return this.#countOut() * 2 >= this.#entries.size && this.#entries.size > 0;
  }

  #countOut(): number {
    return [...this.#entries.keys()].filter((index) => !this.isAvailable(index)).length;
  }

  #countSoft(entry: Entry, kind: 'timeout' | 'protocol'): void {
    if (kind === 'timeout' && this.#options.lagMs() > LAG_LIMIT_MS) return;
    entry.softFailures += 1;
    const what = kind === 'timeout' ? 'time-outs' : 'time-outs or wrong answers';
    // With half of the nodes out, silence is as likely our own fault: keep trying the rest.
    if (entry.softFailures >= SOFT_LIMIT && !this.isInDoubt) {
      this.#putDown(entry, `${entry.softFailures} ${what} in a row`);
    } else if (entry.state === 'up') {
      this.#change(entry, 'suspected', kind === 'timeout' ? 'a time-out' : 'a wrong answer');
    }
  }

  #putDown(entry: Entry, reason: string): void {
    const now = this.#options.clock.now();
    entry.flaps = now - entry.upSince < FLAP_WINDOW_MS && entry.hasBeenUp ? entry.flaps + 1 : 0;
    entry.softFailures = 0;
    entry.failedProbes = 0;
    entry.goodProbes = 0;
    this.#change(entry, 'down', reason);
    this.#schedule(entry, this.#pauseMs(entry));
    this.#deaths.answered(entry.index);
    // That its process has not ended is no reason to use it again.
    if (!this.#isStopped) this.#deaths.inquire(entry.index);
  }

  /** A node that was given up answers to an inquiry: it is needed, so it does not wait for its next probe. */
  #restarted(index: number): void {
    const entry = this.#entries.get(index);
    if (entry?.state === 'down') this.#schedule(entry, PROBE_CONFIRM_MS);
  }

  #schedule(entry: Entry, delayMs: number): void {
    if (this.#isStopped) return;
    entry.cancelProbe();
    entry.cancelProbe = this.#options.clock.after(delayMs, () => void this.#runProbe(entry));
  }

  /** Exponential from 1 s to 30 s with jitter; a node that flaps starts later, and nobody waits when all are out. */
  #pauseMs(entry: Entry): number {
    const everyoneIsOut = this.#countOut() === this.#entries.size;
    const longest = everyoneIsOut ? PROBE_FIRST_MS : PROBE_LONGEST_MS;
    // The first flap is forgiven: a restart is often followed by another one.
    const steps = entry.failedProbes + Math.max(0, entry.flaps - 1);
    const pause = Math.min(PROBE_FIRST_MS * 2 ** Math.min(steps, 10), longest);
    return pause * (0.75 + this.#options.random() * 0.25);
  }

  async #runProbe(entry: Entry): Promise<void> {
    if (entry.isProbing || this.#isStopped) return;
    entry.isProbing = true;
    entry.lastProbeAt = this.#options.clock.now();
    try {
      await this.#options.probe(entry.index);
      if (this.#isWatched(entry)) this.#deaths.answered(entry.index);
      await this.#passed(entry);
    } catch (error) {
      this.#missed(entry, error);
    } finally {
      entry.isProbing = false;
    }
  }

  async #passed(entry: Entry): Promise<void> {
    if (!this.#isWatched(entry)) return;
    entry.goodProbes += 1;
    const needed = entry.hasBeenUp ? 2 : 1;
    if (entry.goodProbes < needed) {
      this.#change(entry, 'probing', 'answered a probe');
      this.#schedule(entry, PROBE_CONFIRM_MS);
      return;
    }
    await this.#options.admit(entry.index);
    if (!this.#isWatched(entry)) return;
    entry.hasBeenUp = true;
    this.#deaths.forget(entry.index);
    entry.upSince = this.#options.clock.now();
    entry.softFailures = 0;
    this.#change(
      entry,
      'up',
      needed === 1 ? 'answered its first probe' : `answered ${needed} probes in a row`,
    );
  }

  #missed(entry: Entry, error: unknown): void {
    if (!this.#isWatched(entry)) return;
    entry.goodProbes = 0;
    entry.failedProbes += 1;
    this.#deaths.failed(entry.index, error);
    const why = error instanceof Error ? error.message : 'unknown failure';
    if (entry.state !== 'down') this.#change(entry, 'down', `probe: ${why}`);
    this.#schedule(entry, this.#pauseMs(entry));
  }

  /** False when the node was removed or the watch ended while a probe was under way. */
  #isWatched(entry: Entry): boolean {
    return !this.#isStopped && this.#entries.get(entry.index) === entry;
  }

  #change(entry: Entry, to: NodeState, reason: string): void {
    const from = entry.state;
    entry.reason = reason;
    if (from === to) return;
    entry.state = to;
    entry.since = this.#options.clock.now();
    this.#deaths.reached([...this.#entries.values()].some((each) => each.state === 'up'));
    this.#options.onTransition({ index: entry.index, from, to, reason, at: entry.since });
  }
}
