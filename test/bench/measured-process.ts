/** A process under measurement: on a core of its own where that can be had, with the processor time it used. */
import { availableParallelism } from 'node:os';
import { readFileSync } from 'node:fs';
import { ManagedProcess, type ProcessPlan } from '../../examples/start/processes.ts';
import { findProgram } from '../support/install.ts';

/** What is measured runs on the first core, everything else on the second, so that they do not take turns. */
export type Core = 'measured' | 'rest' | 'any';

const CORES: Readonly<Record<Core, number | null>> = { measured: 0, rest: 1, any: null };
/** Linux counts processor time in hundredths of a second, whatever the kernel's own tick. */
const TICK_MS = 10;

const taskset = availableParallelism() > 1 ? findProgram('taskset') : null;

/** Whether processes can be kept on a core. */
export const canPin: boolean = taskset !== null;

/** The command that keeps another one on a core; the same command where that cannot be had. */
export function pin(core: Core, command: string, args: readonly string[]): [string, string[]] {
  const number = CORES[core];
  if (number === null || taskset === null) return [command, [...args]];
  return [taskset, ['-c', String(number), command, ...args]];
}

export class MeasuredProcess {
  readonly #process: ManagedProcess;

  constructor(core: Core, plan: ProcessPlan) {
    const [command, args] = pin(core, plan.command, plan.args);
    this.#process = new ManagedProcess({ ...plan, command, args });
  }

  /** Resolves when it can be used. */
  static async start(core: Core, plan: ProcessPlan): Promise<MeasuredProcess> {
    const started = new MeasuredProcess(core, plan);
    await started.#process.start();
    return started;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Milliseconds of processor time since it started, all threads; null where nobody can tell. */
  cpuMs(): number | null {
    try {
      // After the name in parentheses, which may hold anything; proc(5) counts the fields from 1.
      const fields = readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    } catch {
      return null;
    }
  }

  /** As a crash. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** SIGSTOP: it hangs until it is stopped. */
  freeze(): void {
    this.#process.freeze();
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
