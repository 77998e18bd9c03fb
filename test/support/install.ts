/** Finds the programs that tests run, or installs them through the system's package manager where it may. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export type Program = 'memcached' | 'chromium';

/** Places that are not in every PATH. */
const MORE_PLACES = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/opt/homebrew/bin'];
const LOCK = join(tmpdir(), 'memsession-install.lock');
const LOCK_POLL_MS = 200;
const LOCK_WAIT_MS = 300_000;

/**
 * The program's path. Installs it when it is missing and apt-get can be used without a question.
 *
 * @throws {Error} with instructions when it is missing and cannot be installed.
 */
export function requireProgram(program: Program): string {
  const found = findProgram(program);
  if (found !== null) return found;
  const problem = withLock(() => (findProgram(program) === null ? install(program) : null));
  const installed = findProgram(program);
  if (installed !== null) return installed;
  throw new Error(
    `The tests need the program "${program}", which is not installed${problem === null ? '' : ` (${problem})`}. ` +
      `Install it, e.g. "sudo apt-get install ${program}" or "brew install ${program}", and make sure it is in PATH.`,
  );
}

/** The program's path, or null. */
export function findProgram(program: string): string | null {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), ...MORE_PLACES];
  for (const place of places) {
    const path = join(place, program);
    if (place !== '' && isExecutable(path)) return path;
  }
  return null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Null when it went well, else why not. */
function install(program: Program): string | null {
  const aptGet = findProgram('apt-get');
  if (aptGet === null) return 'there is no apt-get to install it with';
  const prefix = commandPrefix();
  if (prefix === null) return 'installing it needs root, or sudo without a password';
  console.log(`Installing ${program} …`);
  const isUpdated = runQuietly([...prefix, aptGet, 'update']);
  if (runQuietly([...prefix, aptGet, 'install', '-y', '--no-install-recommends', program])) return null;
  return isUpdated ? 'apt-get could not install it' : 'apt-get update failed';
}

/** What goes before a command that needs root, or null when root cannot be had. */
function commandPrefix(): string[] | null {
  const environment = ['env', 'DEBIAN_FRONTEND=noninteractive'];
  if (process.getuid?.() === 0) return environment;
  const sudo = findProgram('sudo');
  return sudo !== null && runQuietly([sudo, '-n', 'true']) ? [sudo, '-n', ...environment] : null;
}

function runQuietly([command = '', ...args]: readonly string[]): boolean {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0 && stderr !== '') console.error(stderr.trimEnd());
  return status === 0;
}

/** Runs `work` in one process at a time. */
function withLock<T>(work: () => T): T {
  const giveUpAt = Date.now() + LOCK_WAIT_MS;
  while (!takeLock()) {
    if (Date.now() > giveUpAt) throw new Error(`Another process installs programs for too long: ${LOCK}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

/** A directory is made by one process only; its owner's id tells whether the owner still lives. */
function takeLock(): boolean {
  try {
    mkdirSync(LOCK);
    writeFileSync(join(LOCK, 'pid'), String(process.pid));
    return true;
  } catch {
    if (isOwnerDead()) rmSync(LOCK, { recursive: true, force: true });
    return false;
  }
}

function isOwnerDead(): boolean {
  let pid: number;
  try {
    pid = Number(readFileSync(join(LOCK, 'pid'), 'utf8'));
  } catch {
    return false;
  }
  try {
    // Signal 0 only asks whether the process is there. An empty file is one that is being written.
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
