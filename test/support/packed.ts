/** The packages as they would be published: packed, and installed into folders of their own. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { withLock } from './lock.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const CACHE = join(ROOT, 'node_modules/.cache');
const PACKAGES = ['client', 'bridge'] as const;
const PACKED_FROM = ['package-lock.json', 'tsconfig.json', '.dev/prepack.mjs', 'packages/**/*'];

export type PackageName = (typeof PACKAGES)[number];

/** Paths of the tarballs. */
export type Tarballs = Readonly<Record<PackageName, string>>;

/** A temporary folder, removed at the end of the block. */
export function makeFolder(name: string): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), `memsession-${name}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Both packages, packed as `npm publish` does it, from nothing. Done once for one state of the sources, so that
 * several test files can ask for it.
 */
export function packPackages(): Tarballs {
  const folder = join(CACHE, `packed-${hashSources()}`);
  if (!existsSync(folder)) withLock('pack', () => (existsSync(folder) ? undefined : packInto(folder)));
  const find = (name: PackageName): string => {
    const { version } = readManifest(join(ROOT, 'packages', name));
    return join(folder, `memsession-${name}-${version}.tgz`);
  };
  return { client: find('client'), bridge: find('bridge') };
}

/** What goes into the tarballs and how. */
function hashSources(): string {
  const hash = createHash('sha256');
  const files = globSync(PACKED_FROM, { cwd: ROOT, exclude: (name) => name === 'dist' });
  for (const file of files.toSorted()) {
    if (statSync(join(ROOT, file)).isFile()) hash.update(`${file}\n`).update(readFileSync(join(ROOT, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

/** It works on copies, because other tests use what is built meanwhile. */
function packInto(folder: string): void {
  const stage = join(ROOT, '.state', `packing-${process.pid}`);
  const fresh = join(stage, 'tarballs');
  try {
    prepareStage(stage);
    mkdirSync(fresh);
    for (const name of PACKAGES) npm(join(stage, 'packages', name), ['pack', '--pack-destination', fresh]);
    mkdirSync(CACHE, { recursive: true });
    for (const name of readdirSync(CACHE)) {
      if (name.startsWith('packed-')) rmSync(join(CACHE, name), { recursive: true, force: true });
    }
    renameSync(fresh, folder);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** The repository as far as packing needs it; dependencies are found in the folders above. */
function prepareStage(stage: string): void {
  for (const path of ['tsconfig.json', '.dev/prepack.mjs', ...PACKAGES.map((name) => `packages/${name}`)]) {
    mkdirSync(dirname(join(stage, path)), { recursive: true });
    const filter = (source: string): boolean => !['dist', 'node_modules'].includes(basename(source));
    cpSync(join(ROOT, path), join(stage, path), { recursive: true, filter });
  }
  mkdirSync(join(stage, 'node_modules/@memsession'), { recursive: true });
  for (const name of PACKAGES) {
    symlinkSync(join(stage, 'packages', name), join(stage, 'node_modules/@memsession', name));
  }
}

/** Installs tarballs with their dependencies, as a new project would. */
export function installPackages(folder: string, tarballs: readonly string[]): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  npm(folder, ['install', '--prefer-offline', '--no-package-lock', ...tarballs]);
}

/** Makes packages of the repository importable in a folder, e.g. a framework for an example. */
export function linkPackages(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    rmSync(link, { recursive: true, force: true });
    symlinkSync(join(ROOT, 'node_modules', name), link);
  }
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly [field: string]: unknown;
}

export function readManifest(folder: string): Manifest {
  // Written by npm or by us.
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

function npm(cwd: string, args: readonly string[]): void {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
  const { status, stdout, stderr } = spawnSync('npm', [...args, ...quiet], { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`"npm ${args.join(' ')}" failed:\n${stdout}${stderr}`);
}
