/** A worker process as its parent sees it. */
import cluster, { type Worker as ClusterWorker } from 'node:cluster';
import type { Config } from './config.ts';
import type { FromWorker, Question, Reply, ToWorker } from './ipc.ts';
import type { Look, Member, MetricJson, RawFacts, Route, RouteQuestion } from './member.ts';
import type { Clock } from './node.ts';

export interface WorkerHandleOptions {
  readonly clock: Clock;
  /** What it begins with, looked up when it can be told. */
  readonly config: () => Config;
  readonly onTransition: (
    worker: WorkerHandle,
    transition: Extract<FromWorker, { kind: 'transition' }>,
  ) => void;
  readonly onExit: (worker: WorkerHandle) => void;
}

/** A worker that has not begun to serve by then does not, milliseconds. */
const START_LIMIT_MS = 30_000;
const REPLY_LIMIT_MS = 2_000;
/** Beyond wait and grace, milliseconds. */
const STOP_SLACK_MS = 5_000;

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: () => void;
}

/** Forks a process and speaks with it until it ends. */
export class WorkerHandle implements Member {
  readonly id: number;
  readonly startedAt: number;
  /** Resolves with its URL when it serves; rejects when it cannot. */
  readonly serving: Promise<string>;
  readonly #options: WorkerHandleOptions;
  readonly #worker: ClusterWorker;
  readonly #waiting: Map<number, Waiting> = new Map();
  readonly #ended: Promise<void>;
  readonly #cancelStart: () => void;
  #settleServing: { resolve: (url: string) => void; reject: (error: Error) => void } | null = null;
  #hasBegun = false;
  #isServing = false;
  #hasServed = false;
  #isStopping = false;
  #asked = 0;
  /** What it counted, as it was last known. */
  #metrics: readonly MetricJson[] = [];

  constructor(options: WorkerHandleOptions) {
    this.#options = options;
    this.startedAt = options.clock.now();
    this.#worker = cluster.fork();
    this.id = this.#worker.id;
    this.serving = new Promise((resolve, reject) => {
      this.#settleServing = { resolve, reject };
    });
    // Whoever does not wait for it hears of the exit.
    this.serving.catch(() => {});
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#exited();
        resolve();
      });
    });
    this.#worker.on('message', (message: FromWorker) => this.#heard(message));
    // It may be gone before it has heard anything; the exit tells.
    this.#worker.on('error', () => {});
    this.#cancelStart = options.clock.after(START_LIMIT_MS, () =>
      this.#failed('A worker did not begin to serve.'),
    );
  }

  /** Whether it serves and was not told to stop. */
  get isServing(): boolean {
    return this.#isServing && !this.#isStopping;
  }

  /** Whether it ever did. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  get lastMetrics(): readonly MetricJson[] {
    return this.#metrics;
  }

  /** What is in the configuration that it begins with need not be told before. */
  tell(message: ToWorker): void {
    if (this.#hasBegun && this.#worker.isConnected()) this.#worker.send(message);
  }

  async look(): Promise<Look> {
    // The reply is of the question's kind.
    const look = (await this.#ask({ kind: 'look' })) as Look;
    this.#metrics = look.metrics;
    return look;
  }

  async facts(): Promise<readonly RawFacts[]> {
    // As above.
    return (await this.#ask({ kind: 'facts' })) as readonly RawFacts[];
  }

  async explain(question: RouteQuestion): Promise<Route> {
    // As above.
    return (await this.#ask({ kind: 'explain', ...question })) as Route;
  }

  /** Ends it in order; by force when it takes too long. Resolves when it is gone. */
  async stop(how: { readonly waitMs: number; readonly graceMs: number }): Promise<void> {
    this.#isStopping = true;
    this.tell({ kind: 'stop', ...how });
    const limitMs = how.waitMs + how.graceMs + STOP_SLACK_MS;
    const cancel = this.#options.clock.after(limitMs, () => this.#worker.process.kill('SIGKILL'));
    // Before it serves there is nothing to end in order.
    if (!this.#isServing) this.#worker.process.kill('SIGKILL');
    await this.#ended;
    cancel();
  }

  #ask(question: Question): Promise<Reply> {
    const number = (this.#asked += 1);
    return new Promise((resolve, reject) => {
      const cancel = this.#options.clock.after(REPLY_LIMIT_MS, () => {
        this.#waiting.delete(number);
        reject(new Error('The worker does not answer.'));
      });
      this.#waiting.set(number, { resolve, reject, cancel });
      this.tell({ kind: 'ask', number, question });
    });
  }

  #heard(message: FromWorker): void {
    switch (message.kind) {
      case 'hello':
        this.#hasBegun = true;
        this.tell({ kind: 'start', config: this.#options.config() });
        return;
      case 'serving':
        this.#isServing = true;
        this.#hasServed = true;
        this.#cancelStart();
        this.#settleServing?.resolve(message.url);
        return;
      case 'failed':
        this.#failed(message.message);
        return;
      case 'transition':
        this.#options.onTransition(this, message);
        return;
      case 'ended':
        this.#metrics = message.metrics;
        return;
      case 'reply':
        this.#settle(message.number)?.resolve(message.reply);
        return;
      case 'no reply':
        this.#settle(message.number)?.reject(new Error(message.message));
    }
  }

  #settle(number: number): Waiting | undefined {
    const waiting = this.#waiting.get(number);
    this.#waiting.delete(number);
    waiting?.cancel();
    return waiting;
  }

  /** One that does not come to serve is ended, so that whoever started it hears of it. */
  #failed(message: string): void {
    this.#cancelStart();
    this.#settleServing?.reject(new Error(message));
    if (!this.#hasServed) this.#worker.process.kill('SIGKILL');
  }

  #exited(): void {
    this.#failed('A worker ended before it served.');
    for (const number of [...this.#waiting.keys()])
      this.#settle(number)?.reject(new Error('The worker has ended.'));
    this.#isServing = false;
    this.#options.onExit(this);
  }
}
