/** Finds the programs that tests run, or installs them through the system's package manager where it may. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, copyFileSync, globSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { withLock } from './lock.ts';

/** By the Debian package that each is in. */
const PACKAGES = {
  memcached: 'memcached',
  chromium: 'chromium',
  promtool: 'prometheus',
  'systemd-analyze': 'systemd',
} as const;

export type Program = keyof typeof PACKAGES;

/** Their packages start services, which nobody wants on a machine that only tests; so they are only taken out. */
const TAKEN_OUT: ReadonlySet<Program> = new Set(['promtool']);
const TAKEN_TO = new URL('../../node_modules/.cache/programs', import.meta.url).pathname;
/** Places that are not in every PATH. */
const MORE_PLACES = ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/opt/homebrew/bin', TAKEN_TO];

/**
 * The program's path. Installs it when it is missing and apt-get can be used without a question.
 *
 * @throws {Error} with instructions when it is missing and cannot be installed.
 */
export function requireProgram(program: Program): string {
  const found = findProgram(program);
  if (found !== null) return found;
  const problem = withLock('install', () => (findProgram(program) === null ? install(program) : null));
  const installed = findProgram(program);
  if (installed !== null) return installed;
  throw new Error(
    `The tests need the program "${program}", which is not installed${problem === null ? '' : ` (${problem})`}. ` +
      `Install it, e.g. "sudo apt-get install ${PACKAGES[program]}" or "brew install ${PACKAGES[program]}", and make sure it is in PATH.`,
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
  if (TAKEN_OUT.has(program) && takeOut(program, aptGet)) return null;
  const prefix = commandPrefix();
  if (prefix === null) return 'installing it needs root, or sudo without a password';
  console.log(`Installing ${program} …`);
  const isUpdated = runQuietly([...prefix, aptGet, 'update']);
  const isInstalled = TAKEN_OUT.has(program)
    ? takeOut(program, aptGet)
    : runQuietly([...prefix, aptGet, 'install', '-y', '--no-install-recommends', PACKAGES[program]]);
  if (isInstalled) return null;
  return isUpdated ? 'apt-get could not install it' : 'apt-get update failed';
}

/** Takes one program out of its package, which needs no rights. */
function takeOut(program: Program, aptGet: string): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'memsession-program-'));
  try {
    // Where the lists of packages are missing this fails, and is tried again when they are there.
    if (spawnSync(aptGet, ['download', PACKAGES[program]], { cwd: folder }).status !== 0) return false;
    const [file = ''] = globSync('*.deb', { cwd: folder });
    if (!runQuietly(['dpkg-deb', '--extract', join(folder, file), folder])) return false;
    mkdirSync(TAKEN_TO, { recursive: true });
    copyFileSync(join(folder, 'usr/bin', program), join(TAKEN_TO, program));
    return true;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
