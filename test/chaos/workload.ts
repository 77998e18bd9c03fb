/** Browsers that visit the instances at a given rate, each with its own cookies. What they do follows from a seed. */
import type { Operation, TaskKind } from '../history/history.ts';
import { Jar } from '../history/jar.ts';
import type { Task } from '../history/visit.ts';
import type { Random } from '../simulation/random.ts';
import type { VisitAnswer } from './app-main.ts';
import type { AppProcess, VisitFailure } from './app-process.ts';
import { isDisturbed } from './disturbed.ts';

export interface Load {
  readonly browsers: number;
  readonly perSecond: number;
  /** How often which task. */
  readonly mix: Readonly<Record<TaskKind, number>>;
  /** Of the requests, how many are to be confirmed by a bridge. */
  readonly freshShare: number;
  /** How many requests at once one browser sends, at most. */
  readonly tabs: number;
  /** Of the requests, how many the browser gives up at some moment. */
  readonly abortShare: number;
}

export const USUAL_LOAD: Load = {
  browsers: 200,
  perSecond: 600,
  mix: { read: 60, save: 30, update: 8, destroy: 1, regenerate: 1 },
  freshShare: 0.2,
  tabs: 2,
  abortShare: 0,
};

export interface WorkloadOptions {
  readonly load: Load;
  readonly random: Random;
  readonly instances: readonly AppProcess[];
  /** Before every browser's and every save's name, so that names differ between rows. */
  readonly prefix: string;
  readonly now: () => number;
  readonly onDefect: (text: string) => void;
}

interface Browser {
  readonly name: string;
  readonly jar: Jar;
  open: number;
}

type Errand = Pick<Task, 'kind' | 'isFresh'> & { readonly bulkBytes?: number };

/** A time in which this process stood still, and the network that it keeps between the others with it, milliseconds. */
export interface Stall {
  readonly from: number;
  readonly to: number;
}

const TICK_MS = 10;
/** What is shorter makes nobody late. */
const STALL_MS = 100;
/** No more requests under way than this: the rate falls to what the machine can do. */
const MOST_OPEN = 32;
/** After an outage, of a save that a row waits for. */
const MOST_RETRIES = 5;
/** A visit that has no answer by then is given up; the checker calls it unsettled. */
const GIVE_UP_MS = 15_000;
const LONGEST_ABORT_MS = 40;

export class Workload {
  readonly operations: Operation[] = [];
  readonly events: Record<string, number> = {};
  readonly #options: WorkloadOptions;
  readonly #browsers: readonly Browser[];
  readonly #open: Set<Promise<Operation>> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #credit = 0;
  #lastAt = 0;
  #isOver = false;
  #count = 0;
  readonly stalls: Stall[] = [];
  /** The longest that this process stood still, milliseconds. */
  lagMs = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#browsers = Array.from({ length: options.load.browsers }, (_, index) => ({
      name: `${options.prefix}b${index}`,
      jar: new Jar(),
      open: 0,
    }));
  }

  /** The sessions that the browsers have now. */
  get sessions(): string[] {
    return this.#browsers.flatMap(({ jar }) => jar.present().session ?? []);
  }

  start(): void {
    this.#lastAt = this.#options.now();
    // It must not outlive a row that has failed.
    this.#timer = setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** Resolves when every request has its answer. */
  async stop(): Promise<void> {
    this.#isOver = true;
    while (this.#open.size > 0) await Promise.all(this.#open);
  }

  /** Every browser saves once. */
  async begin(): Promise<void> {
    await this.#each((browser) => this.#visit(browser, { kind: 'save', isFresh: false }));
  }

  /** Every browser looks at its session through some instance, confirmed. */
  async lookAround(): Promise<void> {
    await this.#each((browser) => this.#visit(browser, { kind: 'read', isFresh: true }));
    clearInterval(this.#timer);
  }

  /** So many browsers try to save so much; who is told of an outage tries again. */
  async saveLarge(count: number, bulkBytes: number): Promise<void> {
    for (const browser of this.#browsers.slice(0, count)) {
      const save = (): Promise<Operation> =>
        this.#visit(browser, { kind: 'save', isFresh: false, bulkBytes });
      let last = await save();
      for (let left = MOST_RETRIES; left > 0 && isDisturbed(last); left -= 1) last = await save();
    }
  }

  /** What somebody with a copy of each browser's present cookies would see whenever it is called. */
  rememberTabs(): () => Promise<void> {
    const tabs = this.#browsers
      .filter(({ jar }) => jar.present().session !== null)
      .map(({ name, jar }) => ({ name, jar: jar.clone(), open: 0 }));
    return async () => {
      await Promise.all(tabs.map((tab) => this.#visit(tab, { kind: 'read', isFresh: true })));
    };
  }

  /** Every browser's visit with this task; gives the operations. */
  async #each(visit: (browser: Browser) => Promise<Operation>): Promise<void> {
    const waiting = [...this.#browsers];
    const worker = async (): Promise<void> => {
      for (let browser = waiting.pop(); browser !== undefined; browser = waiting.pop()) await visit(browser);
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }

  #tick(): void {
    const { load, now, random } = this.#options;
    const from = this.#lastAt;
    const elapsedMs = now() - from;
    this.#lastAt += elapsedMs;
    this.lagMs = Math.max(this.lagMs, elapsedMs - TICK_MS);
    if (elapsedMs > STALL_MS) this.stalls.push({ from, to: this.#lastAt });
    if (this.#isOver) return;
    // After a stall of its own, it does not catch up.
    this.#credit = Math.min(this.#credit + (elapsedMs * load.perSecond) / 1_000, load.perSecond / 5);
    for (; this.#credit >= 1; this.#credit -= 1) {
      const browser = random.pick(this.#browsers);
      const task = { kind: random.weighted(load.mix), isFresh: random.chance(load.freshShare) };
      if (browser.open >= load.tabs || this.#open.size >= MOST_OPEN) continue;
      const visit = this.#visit(browser, task).finally(() => this.#open.delete(visit));
      this.#open.add(visit);
    }
  }

  async #visit(browser: Browser, { kind, isFresh, bulkBytes = 0 }: Errand): Promise<Operation> {
    const { random, instances, prefix, load, now } = this.#options;
    const nonce = `${prefix}${(this.#count += 1).toString(36)}`;
    const { header, session, floor, isCarrying } = browser.jar.present();
    const first = random.below(instances.length);
    const abortMs = random.chance(load.abortShare) ? random.between(0, LONGEST_ABORT_MS) : GIVE_UP_MS;
    const start = now();
    browser.open += 1;
    const request = { cookie: header, task: { kind, isFresh, owner: browser.name, nonce }, bulkBytes };
    const { instance, answer } = await this.#send(first, (each) =>
      each.visit(request, AbortSignal.timeout(Math.ceil(abortMs))),
    );
    browser.open -= 1;
    const begun = {
      browser: browser.name,
      instance: instance.name,
      kind,
      isFresh,
      session,
      floor,
      isCarrying,
      nonce: kind === 'read' || kind === 'destroy' ? null : nonce,
      start,
      end: now(),
    };
    const operation = typeof answer === 'string' ? lost(begun, answer) : this.#take(browser, begun, answer);
    this.operations.push(operation);
    return operation;
  }

  /** To the first instance that takes it, as a balancer does. */
  async #send(
    first: number,
    visit: (instance: AppProcess) => Promise<VisitAnswer | VisitFailure>,
  ): Promise<{ instance: AppProcess; answer: VisitAnswer | VisitFailure }> {
    const { instances } = this.#options;
    const turn = [...instances.slice(first), ...instances.slice(0, first)];
    for (const instance of turn) {
      const answer = await visit(instance);
      if (answer !== 'refused') return { instance, answer };
    }
    const [instance] = turn;
    if (instance === undefined) throw new RangeError('there are no instances');
    return { instance, answer: 'refused' };
  }

  #take(
    browser: Browser,
    begun: Omit<Operation, 'outcome' | 'error' | 'before' | 'after' | 'cookies'>,
    { report, events }: VisitAnswer,
  ): Operation {
    const { outcome, error, before, after, cookies, owned, defect } = report;
    browser.jar.take(cookies, owned);
    for (const [type, count] of Object.entries(events)) this.events[type] = (this.events[type] ?? 0) + count;
    if (defect !== null) this.#options.onDefect(`${begun.instance}: ${defect}`);
    const names = cookies.map((line) => line.slice(0, line.indexOf('=')));
    return { ...begun, outcome, error, before, after, cookies: names };
  }
}

/** A request that nobody answered. */
function lost(
  begun: Omit<Operation, 'outcome' | 'error' | 'before' | 'after' | 'cookies'>,
  failure: VisitFailure,
): Operation {
  const outcome = failure === 'refused' ? 'fail' : 'info';
  return { ...begun, outcome, error: failure, before: null, after: null, cookies: [] };
}
