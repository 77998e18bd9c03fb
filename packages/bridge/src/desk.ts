/** Watches over all processes of a bridge: collects what they count, remembers the last quarter of an hour, tells. */
import type { Logger } from 'pino';
import type { Crew } from './crew.ts';
import { DeskMetrics } from './desk-metrics.ts';
import type { Transition } from './health.ts';
import type { Look, MetricJson, NodeLook, Route, RouteQuestion } from './member.ts';
import { formatMetrics, keepCounters, sumMetrics } from './metric-sums.ts';
import { type NodeFacts, readFacts } from './node-facts.ts';
import type { Clock } from './node.ts';
import {
  type Incident,
  isWorse,
  mergeNodes,
  type Overview,
  tellTransition,
  type Warning,
} from './overview.ts';
import { compare, readTotals, type Sample, type Totals } from './samples.ts';
import { VERSION } from './version.ts';
import { WarningLog } from './warning-log.ts';

export interface DeskOptions {
  readonly crew: Crew;
  readonly clock: Clock;
  /** Epoch milliseconds. */
  readonly wallClock: () => number;
  readonly log: Logger;
  /** Largest record, bytes. */
  readonly maxRecordBytes: number;
  /** What is wrong with the bridge's own files, in words. */
  readonly fileProblems: () => readonly string[];
}

/** What is new since the tick before. */
export interface Tick {
  readonly overview: Overview;
  /** Null in the first tick. */
  readonly sample: Sample | null;
  readonly incidents: readonly Incident[];
}

const TICK_MS = 1_000;
/** memcached is asked for its statistics this often, milliseconds. */
const FACTS_EVERY_MS = 5_000;
const MOST_SAMPLES = 900;
const MOST_INCIDENTS = 100;
const LAST_MINUTE_MS = 60_000;

/** Works until it is stopped. */
export class Desk {
  readonly #options: DeskOptions;
  readonly #startedAt: number;
  readonly #metrics: DeskMetrics = new DeskMetrics();
  readonly #samples: Sample[] = [];
  readonly #incidents: Incident[] = [];
  readonly #facts: Map<number, NodeFacts> = new Map();
  readonly #listeners: Set<(tick: Tick) => void> = new Set();
  readonly #warningLog: WarningLog;
  /** Node states by process, to tell each change once. */
  readonly #states: Map<number, Map<number, NodeLook['state']>> = new Map();
  #totals: Totals | null = null;
  #overview: Overview;
  #told = 0;
  #factsAt = Number.NEGATIVE_INFINITY;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#warningLog = new WarningLog(options.log);
    this.#startedAt = options.wallClock();
    this.#overview = this.#makeOverview([]);
    this.#schedule(0);
  }

  /** The last view of the whole. */
  get overview(): Overview {
    return this.#overview;
  }

  /** The last quarter of an hour, a sample a second. */
  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** What happened last, oldest first. */
  get incidents(): readonly Incident[] {
    return this.#incidents.slice(-MOST_INCIDENTS);
  }

  /** Calls for every tick until the returned function is called. */
  subscribe(listener: (tick: Tick) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Remembers something that happened to the bridge or its list. */
  note(text: string, node: number | null = null, kind: Incident['kind'] = 'change'): void {
    this.#incidents.push({ at: this.#options.wallClock(), node, kind, text });
    if (this.#incidents.length <= MOST_INCIDENTS * 2) return;
    this.#incidents.splice(0, MOST_INCIDENTS);
    this.#told = Math.max(0, this.#told - MOST_INCIDENTS);
  }

  /** A node changed its state for one process; it is told when it did for the whole. */
  transitioned(process: number, transition: Pick<Transition, 'index' | 'from' | 'to' | 'reason'>): void {
    const { index, to } = transition;
    const from = this.#worstOf(index);
    const own = this.#states.get(process) ?? new Map<number, NodeLook['state']>();
    this.#states.set(process, own.set(index, to));
    const now = this.#worstOf(index);
    if (now === null || now === from) return;
    const isNotFirst = this.#overview.nodes.some(
      ({ index: other, state }) => other !== index && state !== 'removed' && this.#worstOf(other) === 'down',
    );
    const { text, kind } = tellTransition({
      ...transition,
      from: from ?? transition.from,
      to: now,
      isNotFirst,
    });
    this.note(text, index, kind);
  }

  /** A process has ended; what it thought of nodes counts no more. */
  forget(process: number): void {
    this.#states.delete(process);
  }

  /** All metrics in the text format of Prometheus. */
  async formatMetrics(): Promise<string> {
    const { looks, counted } = await this.#look();
    this.#metrics.update(this.#makeOverview(looks), this.#options.crew);
    const own = await this.#metrics.registry.getMetricsAsJSON();
    return formatMetrics([...counted, own]);
  }

  /** Where a session is looked for. Rejects with a TypeError when the ref is none. */
  async explain(question: RouteQuestion): Promise<Route> {
    const [member] = this.#options.crew.members();
    if (member === undefined) throw new Error('no process serves');
    return member.explain(question);
  }

  /** The view of the whole as it is now; the last second's belongs to who watches. */
  async refresh(): Promise<Overview> {
    this.#overview = this.#makeOverview((await this.#look()).looks);
    return this.#overview;
  }

  /** Collects once, now. */
  async tick(): Promise<void> {
    const { looks, counted } = await this.#look();
    const totals = readTotals(await sumMetrics(counted), this.#options.wallClock());
    await this.#askNodes();
    const sample = this.#totals === null ? null : compare(this.#totals, totals);
    this.#totals = totals;
    if (sample !== null) this.#samples.push(sample);
    if (this.#samples.length > MOST_SAMPLES) this.#samples.splice(0, this.#samples.length - MOST_SAMPLES);
    this.#overview = this.#makeOverview(looks);
    this.#warningLog.report(this.#overview.warnings);
    const incidents = this.#incidents.slice(this.#told);
    this.#told = this.#incidents.length;
    for (const listener of this.#listeners) listener({ overview: this.#overview, sample, incidents });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
    this.#listeners.clear();
  }

  #schedule(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(delayMs, () => {
      const began = this.#options.clock.now();
      this.tick()
        .catch((error: unknown) => this.#options.log.error({ err: error }, 'the overview failed on a defect'))
        .finally(() => this.#schedule(Math.max(0, TICK_MS - (this.#options.clock.now() - began))));
    });
  }

  /** How the processes are, and everything that is counted: whoever does not answer counts as before. */
  async #look(): Promise<{ looks: Look[]; counted: (readonly MetricJson[])[] }> {
    const { crew } = this.#options;
    // Taken at one moment: a process that ends meanwhile would be counted twice, or not at all.
    const [members, leaving, retired] = [crew.members(), crew.leaving(), crew.retired()];
    const all = [...members, ...leaving];
    const answers = await Promise.all(all.map((member) => member.look().catch(() => null)));
    const counted = all.map((member, i) => answers[i]?.metrics ?? keepCounters(member.lastMetrics));
    const looks = answers.slice(0, members.length).filter((look) => look !== null);
    return { looks, counted: [...counted, ...retired] };
  }

  async #askNodes(): Promise<void> {
    const { clock, crew, maxRecordBytes } = this.#options;
    const [member] = crew.members();
    if (member === undefined || clock.now() - this.#factsAt < FACTS_EVERY_MS) return;
    this.#factsAt = clock.now();
    // A process that ends in this moment is asked no more.
    const facts = await member.facts().catch(() => []);
    for (const raw of facts) this.#facts.set(raw.index, readFacts(raw, maxRecordBytes));
  }

  #makeOverview(looks: readonly Look[]): Overview {
    const { wallClock, crew } = this.#options;
    const at = wallClock();
    const lastMinute = this.#samples.filter((sample) => sample.at > at - LAST_MINUTE_MS);
    const nodes = mergeNodes(looks, this.#facts, lastMinute);
    const isReady = looks.some(({ notReady }) => notReady === null);
    return {
      at,
      startedAt: this.#startedAt,
      version: VERSION,
      processes: looks.length,
      crashes: crew.crashes,
      epoch: Math.max(0, ...looks.map(({ epoch }) => epoch)),
      notReady: isReady ? null : (looks[0]?.notReady ?? 'no process serves'),
      isInDoubt: looks.some(({ isInDoubt }) => isInDoubt),
      nodes,
      warnings: this.#findWarnings(nodes),
    };
  }

  #findWarnings(nodes: Overview['nodes']): Warning[] {
    const files = this.#options.fileProblems().map((text) => ({ node: null, code: 'file', text }));
    const ofNodes = nodes.flatMap(({ index, facts }) =>
      (facts?.warnings ?? []).map(({ code, text }) => ({ node: index, code, text })),
    );
    return [...files, ...ofNodes];
  }

  #worstOf(index: number): NodeLook['state'] | null {
    let worst: NodeLook['state'] | null = null;
    for (const states of this.#states.values()) {
      const state = states.get(index);
      if (state !== undefined && (worst === null || isWorse(state, worst))) worst = state;
    }
    return worst;
  }
}
