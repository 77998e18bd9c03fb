/** The runtimes in which the packed client is tested, and how a program is run in each of them. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { requireTool } from './tools.ts';
import { waitUntil } from './wait.ts';
import type { Project } from './project.ts';

const RUN_LIMIT_MS = 180_000;
const LISTEN_LIMIT_MS = 60_000;
/** The oldest that is tested: `cache` of a fetch needs 2024-11-11, promises of other requests 2024-10-14. */
export const COMPATIBILITY_DATE = '2024-11-11';

export type Env = Readonly<Record<string, string>>;

/** A runtime that runs a file as a process. */
export interface ProcessRuntime {
  readonly name: string;
  readonly program: string;
  /** What goes before the file. */
  readonly args: readonly string[];
}

/** Node in the oldest, the pinned and the newest version, Bun and Deno. */
export function processRuntimes(): ProcessRuntime[] {
  const { platform, arch } = process;
  const bun = `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`;
  const deno = `@deno/${platform}-${arch}${platform === 'linux' ? '-glibc' : ''}/deno`;
  return [
    { name: 'Node 22', program: requireTool(`node-22-${platform}-${arch}/bin/node`), args: [] },
    { name: 'Node 24', program: process.execPath, args: [] },
    { name: 'Node 26', program: requireTool(`node-26-${platform}-${arch}/bin/node`), args: [] },
    { name: 'Bun', program: requireTool(bun), args: ['run'] },
    { name: 'Deno', program: requireTool(deno), args: ['run', '--quiet', '--allow-env', '--allow-net'] },
  ];
}

/** The program of the Bun that is tested. */
export function requireBun(): string {
  const bun = processRuntimes().find(({ name }) => name === 'Bun');
  if (bun === undefined) throw new Error('there is no Bun among the runtimes');
  return bun.program;
}

/** Runs a file to its end, which must come by itself, and gives what it has printed. */
export async function runToEnd(runtime: ProcessRuntime, file: string, options: Place): Promise<string> {
  const child = start(runtime.program, [...runtime.args, file], options);
  const timer = setTimeout(() => child.kill('SIGKILL'), RUN_LIMIT_MS);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${runtime.name} ended with ${String(code)}:\n${stdout}${stderr}`);
  return stdout;
}

/** Where a program runs. */
export interface Place {
  readonly cwd: string;
  readonly env: Env;
}

/** A server in another process. */
export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  /** What it has said on stderr. */
  readonly complaints: () => string;
}

/** Starts a file that prints `http://…` once it listens. */
export function startServer(runtime: ProcessRuntime, file: string, options: Place): Promise<RunningServer> {
  const child = start(runtime.program, [...runtime.args, file], options);
  return serverOf(child, runtime.name, (line) => /http:\/\/[\w.[\]:]+/.exec(line)?.[0]);
}

/** Serves a bundled module in workerd, with the environment as its bindings. */
export function startWorker(project: Project, bundle: string, env: Env): Promise<RunningServer> {
  const { platform, arch } = process;
  const folder = `workerd-${platform}-${arch === 'x64' ? '64' : arch}`;
  const program = requireTool(`@cloudflare/${folder}/bin/workerd`);
  const config = project.write('worker.capnp', workerConfig(bundle, env));
  const child = start(program, ['serve', config, '--control-fd=1'], { cwd: project.path, env: {} });
  return serverOf(child, 'workerd', (line) => {
    const port = /"port":(\d+)/.exec(line)?.[1];
    return port === undefined ? undefined : `http://127.0.0.1:${port}`;
  });
}

/** See workerd.capnp of the package: a worker may only reach public addresses unless it is told so. */
function workerConfig(bundle: string, env: Env): string {
  const bindings = Object.entries(env).map(
    ([name, value]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(value)})`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed ${JSON.stringify(basename(bundle))})],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [${bindings.join(', ')}],
);
`;
}

type Child = ChildProcessByStdio<null, Readable, Readable>;

const running = new Set<Child>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

function start(program: string, args: readonly string[], { cwd, env }: Place): Child {
  const child = spawn(program, args, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: cwd, NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

async function serverOf(
  child: Child,
  name: string,
  findUrl: (line: string) => string | undefined,
): Promise<RunningServer> {
  let url: string | undefined;
  let complaints = '';
  createInterface({ input: child.stdout }).on('line', (line) => (url ??= findUrl(line)));
  child.stderr.setEncoding('utf8').on('data', (said: string) => (complaints += said));
  await waitUntil(() => url !== undefined || child.exitCode !== null, `${name} listens`, LISTEN_LIMIT_MS);
  if (url === undefined) throw new Error(`${name} ended with ${child.exitCode}:\n${complaints}`);
  return {
    url,
    complaints: () => complaints,
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended;
    },
  };
}
