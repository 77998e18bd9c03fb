/** The programs that benchmarks need: from PATH, or unpacked from Debian's packages into a cache, never installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '../support/install.ts';

export type Tool = 'memcached' | 'wrk' | 'redis-server' | 'webdis' | 'nginx';

/** A program and what its environment needs. */
export interface FoundTool {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A benchmark cannot be run here; the message says why, for the table. */
export class NotHereError extends Error {
  override readonly name = 'NotHereError';
}

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/bench', import.meta.url));
const UNPACKED = join(CACHE, 'debian');

/**
 * The tool, downloaded when it is not installed and apt-get is there.
 *
 * @throws {NotHereError} when it cannot be had.
 */
export function requireTool(tool: Tool): FoundTool {
  const installed = findProgram(tool);
  if (installed !== null) return { path: installed, env: {} };
  const unpacked = findUnpacked(tool) ?? download(tool);
  // The libraries of these programs may be missing here too, and were unpacked with them.
  const libraries = new Set(globSync(join(UNPACKED, 'usr/lib/**/*.so*')).map((file) => dirname(file)));
  return { path: unpacked, env: { LD_LIBRARY_PATH: [...libraries].join(':') } };
}

function findUnpacked(tool: Tool): string | null {
  const places = ['usr/bin', 'usr/sbin'].map((place) => join(UNPACKED, place, tool));
  return places.find((path) => existsSync(path)) ?? null;
}

function download(tool: Tool): string {
  const archives = join(CACHE, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  mkdirSync(UNPACKED, { recursive: true });
  console.log(`Downloading ${tool} …`);
  const options = ['-y', '--download-only', '--no-install-recommends', '-o', 'Debug::NoLocking=true'];
  run('apt-get', ['install', ...options, '-o', `Dir::Cache::archives=${archives}`, tool]);
  for (const archive of globSync(join(archives, '*.deb'))) run('dpkg-deb', ['-x', archive, UNPACKED]);
  const path = findUnpacked(tool);
  if (path === null) throw new NotHereError(`the package ${tool} has no program of that name`);
  return path;
}

function run(command: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  throw new NotHereError(`"${[command, ...args].join(' ')}" failed: ${why}`);
}
