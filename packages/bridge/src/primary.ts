/** A bridge of several processes: starts the workers, keeps them alive, replaces them one by one, ends them. */
import cluster from 'node:cluster';
import type { Logger } from 'pino';
import type { Apps } from './apps-file.ts';
import type { Config } from './config.ts';
import { Control } from './control.ts';
import type { Crew } from './crew.ts';
import { type EmbeddedList, startEmbeddedList } from './embedded-list.ts';
import type { FromWorker } from './ipc.ts';
import type { Member, MetricJson } from './member.ts';
import { keepCounters, sumMetrics } from './metric-sums.ts';
import type { NodeList } from './node-list.ts';
import { systemClock } from './system-clock.ts';
import { WorkerHandle } from './worker-handle.ts';

/** A worker that ends sooner is started again only after a pause, milliseconds. */
const SHORT_LIFE_MS = 10_000;
const PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/** Starts the workers; rejects when a port is taken. `program`: the script that every worker runs. */
export async function startPrimary(config: Config, log: Logger, program: string): Promise<Primary> {
  cluster.setupPrimary({ exec: program, args: [], serialization: 'advanced' });
  const embedded = await startEmbeddedList(config.embedded, log);
  const primary = new Primary(config, log, embedded);
  try {
    await primary.start();
  } catch (error) {
    await primary.stop({ waitMs: 0, graceMs: 0 });
    throw error;
  }
  return primary;
}

export class Primary implements Crew {
  readonly #log: Logger;
  readonly #embedded: EmbeddedList;
  readonly #control: Control;
  readonly #workers: Set<WorkerHandle> = new Set();
  /** What a worker that starts now is told. */
  #config: Config;
  #retired: readonly (readonly MetricJson[])[] = [];
  #crashes = 0;
  #shortLives = 0;
  #url = '';
  #isStopping = false;
  #restart: Promise<void> | null = null;
  /** Ends the waiting for the next try to start a worker. */
  readonly #pauses: Set<() => void> = new Set();
  /** Is to take the place of another one, and does not serve yet. */
  #trial: WorkerHandle | null = null;

  constructor(config: Config, log: Logger, embedded: EmbeddedList) {
    const nodes = [...config.nodes, ...embedded.entries];
    this.#config = { ...config, nodes };
    this.#log = log;
    this.#embedded = embedded;
    this.#control = new Control({ config, list: nodes, crew: this, log });
    this.#control.desk.subscribe(() => this.#tellWarnings());
  }

  /** Where clients reach it. */
  get url(): string {
    return this.#url;
  }

  /** Where operators reach it; null without an admin token. */
  get adminUrl(): string | null {
    return this.#control.url;
  }

  get crashes(): number {
    return this.#crashes;
  }

  async start(): Promise<void> {
    const urls = await Promise.all(Array.from({ length: this.#config.workers }, () => this.#fork().serving));
    this.#url = urls[0] ?? '';
    await this.#control.listen();
  }

  members(): readonly Member[] {
    return [...this.#workers].filter((worker) => worker.isServing);
  }

  leaving(): readonly Member[] {
    return [...this.#workers].filter((worker) => worker.hasServed && !worker.isServing);
  }

  retired(): readonly (readonly MetricJson[])[] {
    return this.#retired;
  }

  setNodes(list: NodeList): void {
    this.#config = { ...this.#config, nodes: list };
    for (const worker of this.#workers) worker.tell({ kind: 'nodes', list });
  }

  setApps(apps: Apps): void {
    this.#config = { ...this.#config, apps };
    for (const worker of this.#workers) worker.tell({ kind: 'apps', apps });
  }

  /** Reads the files again. */
  async reload(): Promise<void> {
    await this.#control.reload();
  }

  /** Replaces every worker, each after its successor serves. Resolves at the end; a second call joins the first. */
  restart(): Promise<void> {
    this.#restart ??= this.#replaceAll().finally(() => {
      this.#restart = null;
      this.#fillUp();
    });
    return this.#restart;
  }

  /** Ends all workers in order, then the rest. */
  async stop(how: { readonly waitMs: number; readonly graceMs: number }): Promise<void> {
    this.#isStopping = true;
    for (const cancel of this.#pauses) cancel();
    await Promise.all([...this.#workers].map((worker) => worker.stop(how)));
    await this.#control.stop();
    await this.#embedded.close();
  }

  async #replaceAll(): Promise<void> {
    const { stopWaitMs: waitMs, stopGraceMs: graceMs } = this.#config;
    for (const old of [...this.#workers]) {
      if (this.#isStopping) return;
      // It has ended by itself meanwhile, and another one was started in its place.
      if (!this.#workers.has(old)) continue;
      const next = this.#fork();
      this.#trial = next;
      try {
        await next.serving;
      } catch (error) {
        // The old ones serve on: a release that cannot start must not take the bridge down.
        if (!this.#isStopping)
          this.#log.error({ err: error }, 'a new worker does not serve, the old ones stay');
        await next.stop({ waitMs: 0, graceMs: 0 });
        return;
      } finally {
        this.#trial = null;
      }
      await old.stop({ waitMs, graceMs });
    }
    this.#control.desk.note('All workers were replaced.');
    this.#log.info('all workers were replaced');
  }

  #fork(): WorkerHandle {
    const worker = new WorkerHandle({
      clock: systemClock,
      config: () => this.#config,
      onTransition: (of, transition) => this.#changed(of, transition),
      onExit: (of) => this.#exited(of),
    });
    this.#workers.add(worker);
    return worker;
  }

  /** What one worker has evidence for, all believe; each brings the node back by probes of its own. */
  #changed(of: WorkerHandle, transition: Extract<FromWorker, { kind: 'transition' }>): void {
    const { index, from, to, reason, isHearsay } = transition;
    this.#control.desk.transitioned(of.id, { index, from, to, reason });
    if (isHearsay) return;
    const wasUsed = from === 'up' || from === 'suspected';
    if (!(to === 'down' && wasUsed) && !(to === 'up' && !wasUsed)) return;
    for (const worker of this.#workers) {
      if (worker !== of) worker.tell({ kind: 'told', index, to, reason });
    }
  }

  #exited(worker: WorkerHandle): void {
    this.#workers.delete(worker);
    this.#retired = [...this.#retired, keepCounters(worker.lastMetrics)];
    void this.#addUpRetired();
    this.#control.desk.forget(worker.id);
    // A successor that does not come to serve is the business of whoever started it.
    if (worker.isStopping || this.#isStopping || worker === this.#trial) return;
    this.#crashes += 1;
    const isShort = systemClock.now() - worker.startedAt < SHORT_LIFE_MS;
    this.#shortLives = isShort ? this.#shortLives + 1 : 0;
    const pauseMs = isShort ? Math.min(PAUSE_MS * 2 ** (this.#shortLives - 1), LONGEST_PAUSE_MS) : 0;
    this.#log.error({ worker: worker.id, pauseMs }, 'a worker ended by itself, another one is started');
    this.#control.desk.note('A worker ended by itself, another one is started.', null, 'bad');
    const cancel = systemClock.after(pauseMs, () => {
      this.#pauses.delete(cancel);
      this.#fillUp();
    });
    this.#pauses.add(cancel);
  }

  /** Starts as many as are missing: one that is to follow another one may already have taken the place of a dead one. */
  #fillUp(): void {
    if (this.#isStopping) return;
    const staying = [...this.#workers].filter(({ isStopping }) => !isStopping).length;
    for (let count = staying; count < this.#config.workers; count += 1) this.#fork();
  }

  /** So that there is one list however many have ended. */
  async #addUpRetired(): Promise<void> {
    const lists = this.#retired;
    const sum = await sumMetrics(lists);
    // Those that have ended meanwhile stand behind them.
    if (this.#retired[0] === lists[0]) this.#retired = [sum, ...this.#retired.slice(lists.length)];
  }

  #tellWarnings(): void {
    const { warnings } = this.#control;
    for (const worker of this.#workers) worker.tell({ kind: 'warnings', warnings });
  }
}
