/** Runtimes and package checkers that few tests need: installed when they are first asked for, apart from the rest. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const MANIFESTS = join(ROOT, 'test/tools');
const CACHE = join(ROOT, 'node_modules/.cache');
const FILES = ['package.json', 'package-lock.json'];

/**
 * The folder with everything that test/tools/package.json names, in the versions of its lock file. No install
 * scripts run: all programs come inside their packages.
 *
 * @throws {Error} with npm's words when it cannot be installed.
 */
export function requireTools(): string {
  const folder = join(CACHE, `tools-${hashOf(FILES)}`);
  if (!existsSync(folder)) withLock('tools', () => (existsSync(folder) ? undefined : install(folder)));
  return join(folder, 'node_modules');
}

/** The path of a program inside the tools. */
export function requireTool(path: string): string {
  const program = join(requireTools(), path);
  if (existsSync(program)) return program;
  throw new Error(
    `The tests need ${path}, which test/tools has not for ${process.platform} on ${process.arch}. ` +
      'Add its package for this platform to test/tools/package.json.',
  );
}

function hashOf(files: readonly string[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(join(MANIFESTS, file)));
  return hash.digest('hex').slice(0, 12);
}

function install(folder: string): void {
  console.log('Installing the runtimes and package checkers for the tests (once, a minute or two) …');
  mkdirSync(CACHE, { recursive: true });
  for (const name of readdirSync(CACHE)) {
    if (name.startsWith('tools-')) rmSync(join(CACHE, name), { recursive: true, force: true });
  }
  // Not "npm ci": what is optional on other platforms need not be in the lock file. Under its final name only when
  // it is whole.
  const fresh = join(CACHE, `tools-fresh-${process.pid}`);
  mkdirSync(fresh);
  for (const file of FILES) copyFileSync(join(MANIFESTS, file), join(fresh, file));
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', args, { cwd: fresh, encoding: 'utf8' });
  if (status !== 0) throw new Error(`"npm ${args.join(' ')}" failed for test/tools:\n${stderr}`);
  renameSync(fresh, folder);
}
