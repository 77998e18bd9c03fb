/** Child processes that can be started, killed, frozen and started again, and that never outlive this one. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessPlan {
  /** For messages, e.g. `node 0`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it can be used now. */
  readonly isHealthy: () => Promise<boolean>;
  /** Gets each line of its output. */
  readonly onLine?: (line: string) => void;
}

const HEALTHY_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 5_000;
/** Lines of output that are remembered. */
const MOST_LINES = 200;

/** Groups that must be ended with this process, whatever ends it. */
const groups = new Set<number>();
process.on('exit', () => {
  for (const pid of groups) killGroup(pid, 'SIGKILL');
});

/** One process of the stack. */
export class ManagedProcess {
  readonly plan: ProcessPlan;
  #child: ChildProcess | null = null;
  #lastLines: string[] = [];
  #isFrozen = false;

  constructor(plan: ProcessPlan) {
    this.plan = plan;
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** The last lines that it has printed. */
  get lastLines(): readonly string[] {
    return this.#lastLines;
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  /** Resolves when it can be used; rejects, with its last output, when it ends before or takes too long. */
  async start(): Promise<void> {
    if (this.#child !== null) return;
    const { name, command, args, cwd, env } = this.plan;
    // A group of its own: a Ctrl-C in the terminal is for us, and we end the others in order.
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#lastLines = [];
    this.#isFrozen = false;
    if (child.pid !== undefined) groups.add(child.pid);
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.#heard(line));
    }
    child.once('error', (error) => this.#ended(child, error.message));
    child.once('exit', (code, signal) =>
      this.#ended(child, `${name} ended with ${signal ?? `code ${code}`}`),
    );
    await this.#untilHealthy(child);
  }

  /** As a crash: kill -9. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** In order, and by force after some seconds. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.thaw();
    const forced = setTimeout(
      () => child.pid !== undefined && killGroup(child.pid, 'SIGKILL'),
      STOP_WITHIN_MS,
    );
    await this.#end('SIGTERM');
    clearTimeout(forced);
  }

  /** Stops it in the middle of whatever it does; to the others it looks like a machine that hangs. */
  freeze(): void {
    if (this.#child?.pid === undefined) return;
    killGroup(this.#child.pid, 'SIGSTOP');
    this.#isFrozen = true;
  }

  thaw(): void {
    if (this.#child?.pid === undefined) return;
    killGroup(this.#child.pid, 'SIGCONT');
    this.#isFrozen = false;
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined) return;
    const ended = once(child, 'exit');
    killGroup(child.pid, signal);
    await ended;
  }

  async #untilHealthy(child: ChildProcess): Promise<void> {
    const giveUpAt = Date.now() + HEALTHY_WITHIN_MS;
    while (this.#child === child && Date.now() < giveUpAt) {
      if (await this.plan.isHealthy()) return;
      await sleep(50);
    }
    const output = this.#lastLines
      .slice(-20)
      .map((line) => `  ${line}`)
      .join('\n');
    await this.kill();
    throw new Error(`${this.plan.name} did not start.\n${output}`);
  }

  #heard(line: string): void {
    this.#lastLines = [...this.#lastLines, line].slice(-MOST_LINES);
    this.plan.onLine?.(line);
  }

  #ended(child: ChildProcess, how: string): void {
    if (child.pid !== undefined) groups.delete(child.pid);
    if (this.#child !== child) return;
    this.#child = null;
    this.#isFrozen = false;
    this.#heard(how);
  }
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended by itself in the meantime.
  }
}
