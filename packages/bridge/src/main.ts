#!/usr/bin/env node
/** The process: commands, environment, signals. The only file that uses `process`. */
import cluster from 'node:cluster';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Command, parseCommand } from './command-line.ts';
import { type Config, type ConfigSources, findConfigWarnings, parseConfig, printSettings } from './config.ts';
import { SPARE_CONNECTIONS } from './connections.ts';
import { formatHelp } from './help.ts';
import { createLog } from './log.ts';
import { checkNodes, tellChecks } from './node-check.ts';
import { startPrimary } from './primary.ts';
import { runRemote } from './remote.ts';
import { startService } from './service.ts';
import { VERSION } from './version.ts';
import { runWorkerProcess } from './worker-process.ts';

/** Files kept free for operators, logs and what the system opens; each of the two listeners has spare places. */
const RESERVED_FILES = 128 + 2 * SPARE_CONNECTIONS;

type Signal = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR2';

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) return say(formatHelp());
  if (args.includes('--version')) return say(VERSION);
  const command = parseCommand(args);
  switch (command.kind) {
    case 'wrong':
      return complain([command.problem]);
    case 'remote':
      return askBridge(command);
    case 'check':
      return check(command);
    case 'serve':
      return serve(command.args);
  }
}

async function serve(args: readonly string[]): Promise<number> {
  const sources = sourcesOf(args);
  const parsed = parseConfig(sources);
  if (!parsed.ok) return complain(parsed.problems);
  if (args.includes('--check')) return say(tellValid(parsed.config));
  if (args.includes('--print-config')) return say(JSON.stringify(printSettings(sources), null, 2));
  const config = fitToSystem(parsed.config);
  const log = createLog(config.logLevel);
  for (const warning of findConfigWarnings(config)) log.warn(warning);
  const starting = config.workers > 1 ? startMany(config, log) : startOne(config, log);
  // Heard from now on: where nobody listens they end the process, or as process 1 of a container are lost.
  onSignal('SIGHUP', () => void starting.then((bridge) => bridge.reload(), ignore));
  onSignal('SIGUSR2', () => void starting.then((bridge) => bridge.restart(), ignore));
  const ending = firstOf('SIGTERM', 'SIGINT');
  const bridge = await starting;
  const { url, adminUrl } = bridge;
  log.info({ version: VERSION, url, adminUrl, workers: config.workers, copies: config.copies }, 'listening');
  const signal = await ending;
  // Whoever presses Ctrl-C has no balancer that must notice first; whoever does it twice is in a hurry.
  const waitMs = signal === 'SIGINT' ? 0 : config.stopWaitMs;
  onSignal('SIGINT', () => process.exit(1));
  onSignal('SIGTERM', () => {});
  log.info({ signal, waitMs }, 'stopping');
  await bridge.stop({ waitMs, graceMs: config.stopGraceMs });
  log.info('stopped');
  return 0;
}

/** A bridge, however many processes it has. */
interface Bridge {
  readonly url: string;
  readonly adminUrl: string | null;
  reload(): Promise<void>;
  restart(): Promise<void>;
  stop(how: { readonly waitMs: number; readonly graceMs: number }): Promise<void>;
}

async function startOne(config: Config, log: ReturnType<typeof createLog>): Promise<Bridge> {
  const service = await startService(config, log);
  return {
    url: service.url,
    adminUrl: service.adminUrl,
    reload: () => service.reload(),
    restart: async () => log.warn('there are no workers to replace: that needs WORKERS over 1'),
    stop: ({ waitMs, graceMs }) => service.stop(graceMs, waitMs),
  };
}

function startMany(config: Config, log: ReturnType<typeof createLog>): Promise<Bridge> {
  return startPrimary(config, log, fileURLToPath(import.meta.url));
}

async function check({ args, isJson }: Extract<Command, { kind: 'serve' | 'check' }>): Promise<number> {
  const parsed = parseConfig(sourcesOf(args));
  if (!parsed.ok) {
    if (isJson) console.log(JSON.stringify({ ok: false, problems: parsed.problems }, null, 2));
    return isJson ? 1 : complain(parsed.problems);
  }
  const nodes = await checkNodes(parsed.config);
  const ok = nodes.every(({ failure }) => failure === null);
  say(
    isJson ? JSON.stringify({ ok, nodes }, null, 2) : `${tellValid(parsed.config)}\n\n${tellChecks(nodes)}`,
  );
  return ok ? 0 : 1;
}

function tellValid(config: Config): string {
  return ['The configuration is valid.', ...findConfigWarnings(config)].join('\n');
}

async function askBridge({
  command,
  adminUrl,
  isJson,
}: Extract<Command, { kind: 'remote' }>): Promise<number> {
  const [token = ''] = readToken().split(',');
  if (token === '')
    return complain(['ADMIN_TOKEN: is missing; it is the one that the bridge was started with']);
  const { text, exitCode } = await runRemote(command, { adminUrl, token: token.trim(), isJson, fetch });
  if (exitCode === 0 || isJson) say(text);
  else complain([text]);
  return exitCode;
}

function readToken(): string {
  const { ADMIN_TOKEN: token = '', ADMIN_TOKEN_FILE: file = '' } = process.env;
  return token.trim() === '' && file !== '' ? readFileSync(file, 'utf8') : token;
}

/** Fewer connections than files can be open, so that those to the nodes always can. */
function fitToSystem(config: Config): Config {
  const files = readOpenFilesLimit();
  const most = files - RESERVED_FILES - config.nodes.length * 4;
  return { ...config, maxConnections: Math.max(1, Math.min(config.maxConnections, most)) };
}

/** Infinity where the system does not say. */
function readOpenFilesLimit(): number {
  try {
    const match = /^Max open files\s+([0-9]+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return match?.[1] === undefined ? Number.POSITIVE_INFINITY : Number(match[1]);
  } catch {
    // Not Linux.
    return Number.POSITIVE_INFINITY;
  }
}

function sourcesOf(args: readonly string[]): ConfigSources {
  return { args, env: process.env, readFile: (path) => readFileSync(path, 'utf8') };
}

function onSignal(signal: Signal, run: () => void): void {
  process.on(signal, run);
}

function firstOf(...signals: readonly Signal[]): Promise<Signal> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve(signal));
  });
}

/** That it could not start is told where it is waited for. */
function ignore(): void {}

function say(text: string): 0 {
  console.log(text);
  return 0;
}

function complain(problems: readonly string[]): 1 {
  for (const problem of problems) console.error(problem);
  return 1;
}

try {
  if (cluster.isWorker) {
    // Signals that go to a whole group are the parent's business.
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const) onSignal(signal, () => {});
    await runWorkerProcess();
  } else {
    process.exitCode = await main(process.argv.slice(2));
  }
} catch (error) {
  console.error(error instanceof Error ? `memsession-bridge: ${error.message}` : error);
  process.exitCode = 1;
}
