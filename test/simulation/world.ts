/** One run: a plan carried out in virtual time, and what the browsers saw. */
import type { NodeList } from '../../packages/bridge/src/node-list.ts';
import type { Fact, History, Operation } from '../history/history.ts';
import { Jar } from '../history/jar.ts';
import type { VisitReport } from '../history/visit.ts';
import type { Mutation } from './mutation.ts';
import { Memcached } from './memcached.ts';
import { Network, QUIET } from './network.ts';
import type { Plan, VisitStep } from './plan.ts';
import { Random } from './random.ts';
import { Scheduler } from './scheduler.ts';
import { SimBridge } from './sim-bridge.ts';
import { SimInstance } from './sim-instance.ts';
import { checksum, createPlainSealer, plainRecordCodec } from './stand-ins.ts';

export interface RunResult {
  readonly history: History;
  /** The same for the same plan, always: everything that happened is in it. */
  readonly traceHash: string;
  /** Everything that happened, in words; empty unless it was asked for. */
  readonly trace: readonly string[];
}

export interface RunOptions {
  readonly isTracing?: boolean;
  readonly mutation?: Mutation;
}

const TIMEOUT_MS = 1_000;
/** One visit makes several calls at most: it reads, it saves, it meets a conflict. */
const VISIT_DEADLINE_MS = 3 * TIMEOUT_MS + 500;
/** After the last step everything is healed; then the nodes come back and the copies meet. */
const REST_MS = 45_000;

export class World {
  readonly plan: Plan;
  readonly scheduler: Scheduler = new Scheduler();
  readonly network: Network;
  readonly random: Random;
  readonly nodes: readonly Memcached[];
  readonly bridges: readonly SimBridge[];
  readonly instances: readonly SimInstance[];
  readonly facts: Fact[] = [];
  readonly #jars: readonly Jar[];
  readonly #operations: Operation[] = [];
  readonly #trace: string[] = [];
  readonly #isTracing: boolean;
  #traceHash = '';
  list: NodeList;

  constructor(plan: Plan, { isTracing = false, mutation = {} }: RunOptions) {
    this.plan = plan;
    this.#isTracing = isTracing;
    const { scheduler } = this;
    this.random = new Random(plan.seed, 1);
    const { random } = this;
    this.network = new Network(scheduler, random);
    const { network } = this;
    const trace = (text: string): void => this.trace(text);
    this.nodes = Array.from({ length: plan.nodes }, (_, index) => new Memcached(index, scheduler));
    this.list = this.nodes.map(({ index }) => ({ index, host: 'node', port: index + 1, state: 'active' }));
    const bridgeOptions = {
      scheduler,
      network,
      random,
      nodes: this.nodes,
      trace,
      onDefect: (text: string) => this.note('defect', text),
      onLie: (key: string) => this.note('lie', 'a node mixes keys up', sessionOf(key)),
      ...mutation,
    };
    this.bridges = Array.from({ length: plan.bridges }, (_, index) => new SimBridge(index, bridgeOptions));
    const records = mutation.wrapRecords?.(plainRecordCodec) ?? plainRecordCodec;
    const instanceOptions = {
      scheduler,
      network,
      random,
      bridges: this.bridges,
      sealer: createPlainSealer(() => 2_000_000_000_000 + scheduler.now),
      records,
      maxStaleMs: plan.maxStaleMs,
      ttlSeconds: plan.ttlSeconds,
      timeoutMs: TIMEOUT_MS,
      trace,
      ...mutation,
    };
    this.instances = Array.from(
      { length: plan.instances },
      (_, index) => new SimInstance(index, instanceOptions),
    );
    this.#jars = Array.from({ length: plan.browsers }, () => new Jar());
  }

  get history(): History {
    return {
      maxStaleMs: this.plan.maxStaleMs,
      idleMs: this.plan.ttlSeconds * 1_000,
      deadlineMs: VISIT_DEADLINE_MS,
      nodes: this.plan.nodes,
      operations: this.#operations,
      facts: this.facts,
    };
  }

  get result(): RunResult {
    return { history: this.history, traceHash: this.#traceHash, trace: this.#trace };
  }

  trace(text: string): void {
    const line = `${this.scheduler.now.toFixed(2).padStart(9)}  ${text}`;
    this.#traceHash = checksum(this.#traceHash + line);
    if (this.#isTracing) this.#trace.push(line);
  }

  note(kind: Fact['kind'], text: string, session?: string): void {
    this.trace(`*** ${kind}: ${text}`);
    this.facts.push({ kind, at: this.scheduler.now, text, ...(session === undefined ? {} : { session }) });
  }

  /** In this time nodes that had their memory were taken to have lost it. */
  lapsed(at: number, until: number): void {
    const text = `memory of nodes counted as lost from ${Math.round(at)} ms`;
    this.trace(`*** lapse: ${text}`);
    this.facts.push({ kind: 'lapse', at, until, text });
  }

  /** Runs the plan, heals everything, and lets every browser look at its session through every instance. */
  async run(inject: (world: World) => void): Promise<void> {
    const { plan, scheduler, network } = this;
    for (const bridge of this.bridges) bridge.start(this.list);
    await scheduler.runUntil(50);
    network.noise = plan.noise;
    for (const step of plan.steps) {
      if (step.kind === 'visit') scheduler.after(step.at - scheduler.now, () => void this.visit(step));
    }
    inject(this);
    await scheduler.runUntil(plan.endMs);
    network.noise = QUIET;
    await scheduler.runUntil(plan.endMs + 20_000 + REST_MS);
    await this.#lookAround();
  }

  async #lookAround(): Promise<void> {
    for (let browser = 0; browser < this.#jars.length; browser += 1) {
      for (let instance = 0; instance < this.instances.length; instance += 1) {
        const { now } = this.scheduler;
        const step = { kind: 'visit', at: now, browser, instance, task: 'read', isFresh: true } as const;
        void this.visit({ ...step, nonce: '', answerMs: 1 });
        await this.scheduler.runUntil(now + 1_000);
      }
    }
  }

  async visit({ browser, instance: index, task: kind, isFresh, nonce, answerMs }: VisitStep): Promise<void> {
    const jar = this.#jars[browser];
    const instance = this.instances[index];
    if (jar === undefined || instance === undefined) return;
    const { header, session, floor, isCarrying } = jar.present();
    const name = `browser ${browser}`;
    const start = this.scheduler.now;
    const at = this.#operations.length;
    const begun = {
      browser: name,
      instance: instance.machine.name,
      kind,
      isFresh,
      session,
      floor,
      isCarrying,
      nonce: kind === 'read' || kind === 'destroy' ? null : nonce,
      start,
    };
    const unknown = {
      outcome: 'info',
      error: null,
      before: null,
      after: null,
      cookies: [],
      end: null,
    } as const;
    this.#operations.push({ ...begun, ...unknown });
    this.trace(
      `${name} → ${instance.machine.name}: ${kind}${isFresh ? ' fresh' : ''} ${begun.nonce ?? ''} (${session ?? 'nobody'} v${floor}${isCarrying ? ' carrying' : ''})`,
    );
    const isOver = new Promise<null>((resolve) => instance.machine.onDeath(() => resolve(null)));
    const work = instance.visit(header, { kind, isFresh, owner: name, nonce });
    const report = await Promise.race([work, isOver]);
    const end = this.scheduler.now;
    if (report === null) {
      this.#operations[at] = { ...begun, ...unknown, end, error: 'instance died' };
      return;
    }
    this.#finish(at, { ...begun, end }, report);
    const { cookies, owned } = report;
    if (answerMs !== null) {
      this.scheduler.after(answerMs, () => jar.take(cookies, owned));
    }
  }

  #finish(
    at: number,
    begun: Omit<Operation, 'outcome' | 'error' | 'before' | 'after' | 'cookies'>,
    { outcome, error, before, after, cookies, defect }: VisitReport,
  ): void {
    const names = cookies.map((line) => line.slice(0, line.indexOf('=')));
    this.#operations[at] = { ...begun, outcome, error, before, after, cookies: names };
    const seen = after ?? before;
    const what =
      seen === null
        ? ''
        : ` ${seen.session ?? 'no session'} v${seen.version} [${seen.nonces.join(' ')}] ${seen.source}${seen.isStale ? ' stale' : ''}`;
    this.trace(
      `${begun.browser} ← ${begun.instance}: ${begun.kind} ${begun.nonce ?? ''} ${outcome} ${error ?? ''}${what}`,
    );
    if (defect !== null) this.note('defect', defect);
  }
}

/** The session's id in a key of a node. */
export function sessionOf(key: string): string {
  return key.slice(key.indexOf(':') + 1);
}
