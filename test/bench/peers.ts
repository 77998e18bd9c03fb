/** The npm packages that are compared with; they are installed here, and only when a benchmark asks for them. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NotHereError } from './tools.ts';

const FOLDER = fileURLToPath(new URL('peers', import.meta.url));
const STAMP = join(FOLDER, 'node_modules', '.installed-from');

/**
 * A file in the peers' folder, whose imports find the peers.
 *
 * @throws {NotHereError} when they cannot be installed.
 */
export function requirePeer(file: string): string {
  installPeers();
  return join(FOLDER, file);
}

/** Where Bun is; the same one as the peers' manifest names. */
export function requireBun(): string {
  installPeers();
  const { platform, arch } = process;
  const own = `@oven/bun-${platform}-${arch === 'arm64' ? 'aarch64' : arch}/bin/bun`;
  // Its install script moves the program, where install scripts may run.
  const places = [own, 'bun/bin/bun.exe'].map((path) => join(FOLDER, 'node_modules', path));
  const found = places.find((path) => existsSync(path));
  if (found !== undefined) return found;
  throw new NotHereError('the package bun has no program for this platform');
}

/** The version of a package that was installed for comparison, or at the root of the repository. */
export function versionOf(name: string): string {
  for (const root of [FOLDER, fileURLToPath(new URL('../..', import.meta.url))]) {
    const manifest = join(root, 'node_modules', name, 'package.json');
    if (!existsSync(manifest)) continue;
    // A package.json in node_modules always has a version.
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
  }
  return 'not installed';
}

function installPeers(): void {
  const wanted = createHash('sha256')
    .update(readFileSync(join(FOLDER, 'package-lock.json')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  console.log('Installing what is compared with (once, about 160 MB) …');
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stderr } = spawnSync('npm', args, { cwd: FOLDER, encoding: 'utf8' });
  if (status !== 0) throw new NotHereError(`"npm ${args.join(' ')}" failed: ${stderr.trim()}`);
  writeFileSync(STAMP, wanted);
}
