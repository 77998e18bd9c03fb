/** The packages as they would be published: packed, and installed into folders of their own. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

const ROOT = new URL('../..', import.meta.url).pathname;
const PACKAGES = ['client', 'bridge'] as const;

export type PackageName = (typeof PACKAGES)[number];

/** Paths of the tarballs. */
export type Tarballs = Readonly<Record<PackageName, string>>;

/** A temporary folder, removed at the end of the block. */
export function makeFolder(name: string): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), `memsession-${name}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * Packs both packages into a folder, built from nothing as `npm publish` does. It works on copies, because other
 * tests use what is built meanwhile.
 */
export function packPackages(folder: string): Tarballs {
  const stage = join(ROOT, '.state', `packing-${process.pid}`);
  try {
    prepareStage(stage);
    return {
      client: pack(join(stage, 'packages/client'), folder),
      bridge: pack(join(stage, 'packages/bridge'), folder),
    };
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

function pack(packageFolder: string, folder: string): string {
  const { name, version } = readManifest(packageFolder);
  npm(packageFolder, ['pack', '--pack-destination', folder]);
  return join(folder, `${name.slice(1).replace('/', '-')}-${version}.tgz`);
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
