/** A bridge that is started, ended, stopped and started again at the same address, with all that its lives have logged. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BridgeProcess, type LogLine, startBridgeProcess } from '../support/bridge-process.ts';
import { findFreePort } from '../../examples/start/ports.ts';

export interface BridgeHostOptions {
  readonly index: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly main?: string;
  readonly onDefect: (text: string) => void;
}

export interface BridgeStart {
  readonly env?: Readonly<Record<string, string>>;
  /** Another program that starts it, e.g. one that lowers a limit. */
  readonly below?: readonly string[];
}

/** pino's number for errors; a bridge logs one for a defect only. */
const ERROR_LEVEL = 50;

export class BridgeHost {
  readonly name: string;
  readonly port: number;
  readonly #options: BridgeHostOptions;
  readonly #folder: string;
  readonly #lives: BridgeProcess[] = [];
  #current: BridgeProcess | null = null;
  #isStopped = false;
  #read = 0;

  static async create(options: BridgeHostOptions): Promise<BridgeHost> {
    const folder = await mkdtemp(join(tmpdir(), 'memsession-chaos-'));
    return new BridgeHost(options, { folder, port: await findFreePort() });
  }

  constructor(options: BridgeHostOptions, { folder, port }: { folder: string; port: number }) {
    this.#options = options;
    this.#folder = folder;
    this.port = port;
    this.name = `bridge ${options.index}`;
  }

  get isAlive(): boolean {
    return this.#current !== null;
  }

  get pid(): number {
    return this.#current?.pid ?? 0;
  }

  /** All lines of all lives. */
  get log(): readonly LogLine[] {
    return this.#lives.flatMap(({ log }) => log);
  }

  /** The lines of a node list file. It is read by itself within a second or two. */
  async setNodes(lines: readonly string[]): Promise<void> {
    const path = join(this.#folder, 'nodes');
    // In one step, so that nobody reads half of it.
    await writeFile(`${path}.new`, `${lines.join('\n')}\n`);
    await rename(`${path}.new`, path);
    this.#current?.signal('SIGHUP');
  }

  /** Resolves when it listens. */
  async start({ env = {}, below = [] }: BridgeStart = {}): Promise<void> {
    const { main, onDefect } = this.#options;
    const life = await startBridgeProcess({
      below,
      ...(main === undefined ? {} : { main }),
      env: {
        NODES_FILE: join(this.#folder, 'nodes'),
        PORT: String(this.port),
        STOP_WAIT_MS: '300',
        ...this.#options.env,
        ...env,
      },
    });
    this.#lives.push(life);
    this.#current = life;
    void life.ended.then((code) => {
      if (this.#current !== life) return;
      this.#current = null;
      onDefect(`${this.name} ended by itself: ${code ?? 'by a signal'}`);
    });
  }

  /** As `kill -9` does. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** As an operator does: it finishes what it has begun. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  /** SIGSTOP. */
  freeze(): void {
    this.#isStopped = true;
    this.#current?.signal('SIGSTOP');
  }

  /** SIGCONT. */
  thaw(): void {
    this.#isStopped = false;
    this.#current?.signal('SIGCONT');
  }

  /** The defects that it has logged since the last call. That a node is down is an error of the node's. */
  takeDefects(): string[] {
    const lines = this.log.slice(this.#read);
    this.#read += lines.length;
    return lines
      .filter((line) => Number(line['level'] ?? 0) >= ERROR_LEVEL && line['to'] === undefined)
      .map((line) => `${this.name}: ${JSON.stringify(line)}`);
  }

  /** What it thinks of each node now; rejects when it does not tell. */
  async nodeStates(): Promise<string[]> {
    const text = await this.#metrics();
    return [...text.matchAll(/^memsession_node_state\{node="\d+",state="(\w+)"\} 1$/gm)].map(
      ([, state]) => state ?? '',
    );
  }

  /** Whether its operator is warned of this within some time. */
  async isWarned(about: string, limitMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + limitMs;
    while (performance.now() < giveUpAt) {
      const response = await this.#current?.admin('GET', '/admin/overview');
      if ((await response?.text())?.includes(about) === true) return true;
      await sleep(200);
    }
    return false;
  }

  /** A number from its metrics; 0 when there is none. */
  async metric(name: string): Promise<number> {
    const text = await this.#metrics();
    const line = text.split('\n').find((each) => each.startsWith(`${name} `));
    return Number(line?.slice(name.length + 1) ?? 0);
  }

  /** Rejects when it has logged what must not be logged. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isStopped) this.thaw();
    const life = this.#current;
    this.#current = null;
    await life?.[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #metrics(): Promise<string> {
    const response = await this.#current?.admin('GET', '/metrics');
    if (response?.ok !== true) throw new Error(`${this.name} does not tell its metrics`);
    return response.text();
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const life = this.#current;
    this.#current = null;
    life?.signal(signal);
    await life?.ended;
  }
}
