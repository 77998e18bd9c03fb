/** The bridge as a process of its own, as operators run it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BRIDGE_SECRET, makeToken } from './app.ts';
import { LogCheck } from './log-check.ts';
import { ADMIN_TOKEN, BridgeClient, readAllNumbers } from './service.ts';
import { waitUntil } from './wait.ts';

const MAIN = fileURLToPath(new URL('../../packages/bridge/dist/main.js', import.meta.url));
const START_LIMIT_MS = 20_000;

/** One line of its log. */
export interface LogLine {
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface BridgeProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly adminUrl: string;
  readonly client: BridgeClient;
  /** All that it has logged. */
  readonly log: readonly LogLine[];
  /** Asks the operator's listener; a body is sent as JSON. */
  admin(method: string, path: string, body?: unknown): Promise<Response>;
  signal(signal: NodeJS.Signals): void;
  /** Resolves with the exit code when it has ended by itself or by a signal. */
  readonly ended: Promise<number | null>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export interface BridgeProcessOptions {
  /** Ports on loopback, in the order of their indexes. */
  readonly nodes?: readonly number[];
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** The program, when it is not the built one. */
  readonly main?: string;
  /** Runs it below another program, e.g. one that lowers a limit. */
  readonly below?: readonly string[];
  /** In place of this Node.js. */
  readonly runtime?: string;
}

/** Starts it on free ports; resolves when it listens. */
export async function startBridgeProcess(options: BridgeProcessOptions = {}): Promise<BridgeProcess> {
  const { nodes = [], below = [], args = [], main = MAIN, runtime = process.execPath } = options;
  const [program, ...before] = [...below, runtime];
  const child = spawn(program ?? process.execPath, [...before, main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      ...(nodes.length > 0 ? { MEMCACHED_NODES: nodes.map((port) => `127.0.0.1:${port}`).join(',') } : {}),
      BRIDGE_SECRET,
      ADMIN_TOKEN,
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      STOP_WAIT_MS: '0',
      ...options.env,
    },
  });
  running.add(child);
  const check = new LogCheck([BRIDGE_SECRET, ADMIN_TOKEN]);
  const log: LogLine[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    check.write(`${line}\n`);
    log.push(parseLine(line));
  });
  child.stderr.on('data', (chunk: Buffer) => {
    check.write(chunk.toString());
    process.stderr.write(chunk);
  });
  const ended = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return typeof code === 'number' ? code : null;
  });
  const find = (): LogLine | undefined => log.find(({ msg }) => msg === 'listening');
  await waitUntil(
    () => find() !== undefined || child.exitCode !== null,
    `the bridge listens:\n${JSON.stringify(log.slice(-5))}`,
    START_LIMIT_MS,
  );
  const line = find();
  if (line === undefined) throw new Error(`The bridge ended with ${child.exitCode}: ${JSON.stringify(log)}`);
  const url = String(line['url']);
  const adminUrl = String(line['adminUrl']);
  return {
    pid: child.pid ?? 0,
    url,
    adminUrl,
    log,
    ended,
    client: new BridgeClient(url, await makeToken()),
    admin: (method, path, body) => askAdmin(adminUrl, { method, path, body }),
    signal: (signal) => void child.kill(signal),
    [Symbol.asyncDispose]: async () => {
      // One that the test has ended shows nothing any more.
      const numbers = child.exitCode === null ? await readAllNumbers(adminUrl).catch(() => []) : [];
      for (const text of numbers) check.write(`${text}\n`);
      child.kill('SIGINT');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(timer);
      check.assertClean();
    },
  };
}

/** One request to an operator's listener with the token that test bridges have. */
export async function askAdmin(
  adminUrl: string,
  { method, path, body }: { method: string; path: string; body?: unknown },
): Promise<Response> {
  return fetch(`${adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(10_000),
  });
}

/** Runs a command of the program to its end. */
export async function runBridgeCommand(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  runtime: string = process.execPath,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(runtime, [MAIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : null, stdout, stderr };
}

function parseLine(line: string): LogLine {
  // Every line of the log is JSON with a message; what is not shows up as its own message.
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { msg: line };
  }
}
