/** Starts app instances, ends them as a crash does, and gives them visits. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request as httpRequest } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { VisitAnswer, VisitRequest } from './app-main.ts';

const MAIN = fileURLToPath(new URL('app-main.ts', import.meta.url));
const START_LIMIT_MS = 60_000;
const SETTINGS_LIMIT_MS = 10_000;

/** What one instance is started with. */
export interface InstanceSettings {
  readonly bridgeUrls: readonly string[];
  readonly secret: string | readonly string[];
  readonly bridgeSecret: string;
  /** Seconds. */
  readonly maxStale: number;
  readonly timeoutMs: number;
  readonly maxRecordBytes?: number;
}

export interface AppProcessOptions {
  readonly name: string;
  readonly settings: InstanceSettings;
  /** Its wall clock is ahead by so much, milliseconds. */
  readonly skewMs?: number;
  readonly onDefect: (text: string) => void;
  readonly onLag: (lagMs: number) => void;
}

/** Why a visit has no report: `refused`, nobody took it; `broken`, nobody knows what became of it. */
export type VisitFailure = 'refused' | 'broken';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs first in a process whose clock is to be wrong. */
function skewClock(byMs: number): string {
  const code =
    `const real = Date; const now = () => real.now() + ${byMs};` +
    'globalThis.Date = class Date extends real {' +
    'constructor(...given) { if (given.length === 0) super(now()); else super(...given); }' +
    'static now() { return now(); } };';
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}

/** One instance. Its port is another one after each start, as behind a balancer that knows who lives. */
export class AppProcess {
  readonly name: string;
  readonly #options: AppProcessOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 256 });
  #settings: InstanceSettings;
  #child: ChildProcess | null = null;
  #port = 0;
  #skewMs: number;

  constructor(options: AppProcessOptions) {
    this.#options = options;
    this.name = options.name;
    this.#settings = options.settings;
    this.#skewMs = options.skewMs ?? 0;
  }

  get isAlive(): boolean {
    return this.#child !== null;
  }

  get settings(): InstanceSettings {
    return this.#settings;
  }

  /** Resolves when it takes visits. */
  async start({ skewMs = this.#skewMs }: { readonly skewMs?: number } = {}): Promise<void> {
    this.#skewMs = skewMs;
    const flags = skewMs === 0 ? [] : [skewClock(skewMs)];
    const child = spawn(process.execPath, [...flags, MAIN, JSON.stringify(this.#settings)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { PATH: process.env['PATH'] },
    });
    running.add(child);
    child.once('exit', (code, signal) => {
      running.delete(child);
      if (this.#child !== child) return;
      this.#child = null;
      this.#options.onDefect(`${this.name} ended by itself: ${code ?? signal}`);
    });
    this.#port = await this.#hear(child);
    this.#child = child;
  }

  /** As `kill -9` does. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** Puts other settings in force, as a restart would. */
  async configure(change: Partial<InstanceSettings>): Promise<void> {
    this.#settings = { ...this.#settings, ...change };
    const sent = this.#post('/settings', this.#settings, AbortSignal.timeout(SETTINGS_LIMIT_MS));
    if (typeof (await sent) === 'string') throw new Error(`${this.name} took no settings`);
  }

  visit(request: VisitRequest, signal: AbortSignal): Promise<VisitAnswer | VisitFailure> {
    // An instance answers visits with what they saw.
    return this.#post('/', request, signal) as Promise<VisitAnswer | VisitFailure>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#agent.destroy();
  }

  #post(path: string, body: unknown, signal: AbortSignal): Promise<unknown> {
    if (this.#child === null) return Promise.resolve('refused');
    return new Promise((resolve) => {
      const fail = (error: NodeJS.ErrnoException): void =>
        resolve(error.code === 'ECONNREFUSED' ? 'refused' : 'broken');
      const options = {
        port: this.#port,
        host: '127.0.0.1',
        path,
        method: 'POST',
        agent: this.#agent,
        signal,
      };
      const request = httpRequest(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.once('error', fail);
        response.once('end', () => resolve(response.complete ? JSON.parse(text) : 'broken'));
        response.once('close', () => resolve('broken'));
      });
      request.once('error', fail);
      request.end(JSON.stringify(body));
    });
  }

  /** Resolves with the port when the process listens. */
  #hear(child: ChildProcess): Promise<number> {
    const { onDefect, onLag } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} did not start`)), START_LIMIT_MS);
      child.on('message', (message: { port?: number; defect?: string; lagMs?: number }) => {
        const { port, defect, lagMs } = message;
        if (defect !== undefined) onDefect(`${this.name}: ${defect}`);
        if (lagMs !== undefined) onLag(lagMs);
        if (port === undefined) return;
        clearTimeout(timer);
        resolve(port);
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`${this.name} ended with ${code ?? signal} before it listened`));
      });
    });
  }
}
