/** Real memcached processes on free loopback ports, which can be killed, stopped, continued and restarted. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { findFreePort } from '../../examples/start/ports.ts';
import { requireProgram } from './install.ts';
import { waitUntil } from './wait.ts';

export interface MemcachedOptions {
  /** In addition to the usual ones, e.g. `['-m', '2', '-M']`; later ones win. */
  readonly flags?: readonly string[];
  readonly host?: string;
  /** A free one when left out. */
  readonly port?: number;
  /** In addition to this process's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Memcached {
  readonly host: string;
  readonly port: number;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Ends the process as `kill -9` does; its memory is lost. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay, nothing is answered. Resolves when all its threads stand still. */
  stop(): Promise<void>;
  /** SIGCONT. */
  resume(): void;
  /** Kills it if it runs and starts it empty on the same port. Resolves when it answers. */
  restart(): Promise<void>;
  /** The same as {@link kill}, for `await using` and test hooks. */
  [Symbol.asyncDispose](): Promise<void>;
}

const START_LIMIT_MS = 5_000;
const ANSWER_LIMIT_MS = 1_000;
const START_ATTEMPTS = 5;
/** A VERSION request: it is answered before a login too. */
const VERSION_REQUEST = Buffer.from([0x80, 0x0b, ...Array<number>(22).fill(0)]);

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.once(signal, () => process.exit(code));
}

/** Resolves when it answers. Rejects with what memcached printed when it does not start. */
export async function startMemcached(options: MemcachedOptions = {}): Promise<Memcached> {
  const host = options.host ?? '127.0.0.1';
  let lastError: unknown;
  for (let attempt = 0; attempt < START_ATTEMPTS; attempt += 1) {
    const port = options.port ?? (await findFreePort(host));
    const memcached = new Process({ ...options, host, port });
    try {
      await memcached.start();
      return memcached;
    } catch (error) {
      // Somebody else may have taken the port in the meantime.
      lastError = error;
      if (options.port !== undefined) break;
    }
  }
  throw lastError;
}

class Process implements Memcached {
  readonly host: string;
  readonly port: number;
  readonly #options: MemcachedOptions;
  #child: ChildProcess | undefined;
  #output = '';

  constructor(options: MemcachedOptions & { readonly host: string; readonly port: number }) {
    this.#options = options;
    this.host = options.host;
    this.port = options.port;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async start(): Promise<void> {
    const program = requireProgram('memcached');
    const child = spawn(program, this.#arguments(), {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...this.#options.env },
    });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    try {
      await waitUntil(() => this.#isAnswering(child), 'memcached answers', START_LIMIT_MS);
    } catch (cause) {
      await this.kill();
      throw new Error(`memcached did not start: ${this.#output}`, { cause });
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || hasExited(child)) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGSTOP');
    await waitUntil(() => isStopped(this.pid), 'memcached has stopped');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #arguments(): string[] {
    const { flags = [] } = this.#options;
    // memcached refuses to run as root.
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    return [
      '-l',
      this.host,
      '-p',
      String(this.port),
      '-U',
      '0',
      '-B',
      'binary',
      '-t',
      '2',
      ...user,
      ...flags,
    ];
  }

  async #isAnswering(child: ChildProcess): Promise<boolean> {
    if (hasExited(child)) throw new Error(`it ended with code ${child.exitCode}`);
    const socket = connect(this.port, this.host);
    try {
      socket.write(VERSION_REQUEST);
      // It may be closed without a word.
      await once(socket, 'data', { signal: AbortSignal.timeout(ANSWER_LIMIT_MS) });
      return true;
    } catch {
      return false;
    } finally {
      socket.destroy();
    }
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Threads stop one after the other. Where there is no /proc nobody can tell, and stopped is assumed. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`;
  if (!existsSync(tasks)) return true;
  return readdirSync(tasks).every((task) => /\) T /.test(readFileSync(`${tasks}/${task}/stat`, 'utf8')));
}
