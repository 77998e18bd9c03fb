/** Builds Next.js apps for tests, once for the same sources. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { findNext } from '../../examples/start/stack.ts';
import { withLock } from './lock.ts';
import { packPackages } from './packed.ts';

const ROOT = join(import.meta.dirname, '../..');
const CLIENT = join(ROOT, 'packages/client');
/** Secrets that are in the environment of every build, so that a test can look for them in what is built. */
export const BUILD_SECRETS = {
  SESSION_SECRET: 'a-session-secret-that-must-not-be-built-in',
  BRIDGE_SECRET: 'a-bridge-secret-that-must-not-be-built-in',
} as const;

/**
 * A copy of the example app outside of the repository, with the client installed from its packed tarball, built.
 * @returns its folder.
 */
export function buildExample(): string {
  const folder = join(tmpdir(), `memsession-example-${hash(ROOT).slice(0, 8)}`);
  const sources = filesIn(join(ROOT, 'examples/nextjs'));
  buildOnce(folder, [...sources, ...clientFiles()], () => {
    copySources(join(ROOT, 'examples/nextjs'), sources, folder);
    installPacked(folder);
  });
  return folder;
}

/**
 * An app of test/browser/fixtures, built where it stands.
 * @returns its folder.
 */
export function buildFixture(
  name: string,
  { bundler }: { readonly bundler: 'turbopack' | 'webpack' },
): string {
  const folder = join(ROOT, 'test/browser/fixtures', name);
  buildOnce(folder, [...filesIn(folder), ...clientFiles()], () => undefined, [`--${bundler}`]);
  return folder;
}

/**
 * A copy of such an app outside of the repository, with the client installed from its packed tarball beside these
 * versions of others.
 * @returns its folder.
 */
export function buildFixtureOutside(name: string, versions: Readonly<Record<string, string>>): string {
  const from = join(ROOT, 'test/browser/fixtures', name);
  const wanted = JSON.stringify(versions);
  const folder = join(tmpdir(), `memsession-${name}-${hash(ROOT + wanted).slice(0, 8)}`);
  const sources = filesIn(from);
  buildOnce(folder, [...sources, ...clientFiles()], () => {
    copySources(from, sources, folder);
    installPacked(folder, { ...versions, '@types/node': '^24.0.0', '@types/react': '^19.0.0' });
  });
  return folder;
}

function buildOnce(
  folder: string,
  sources: readonly string[],
  prepare: () => void,
  args: readonly string[] = [],
): void {
  const stamp = join(folder, '.next/built-from');
  const wanted = hash(
    [readFileSync(join(ROOT, 'package-lock.json')), ...args, ...sources.map(describe)].join('\0'),
  );
  withLock(`build-${hash(folder).slice(0, 8)}`, () => {
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
    console.log(`Building ${basename(folder)} …`);
    rmSync(stamp, { force: true });
    prepare();
    run(process.execPath, [findNext(folder), 'build', ...args], folder);
    writeFileSync(stamp, wanted);
  });
}

/** Everything in a folder but what is made from it. */
function filesIn(folder: string): string[] {
  return globSync('**/*', { cwd: folder, exclude: ['**/node_modules', '**/.next'] })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile() && !/next-env\.d\.ts$|\.env$|\.tsbuildinfo$/.test(path))
    .toSorted();
}

function clientFiles(): string[] {
  return [
    join(CLIENT, 'package.json'),
    ...globSync('dist/*.js', { cwd: CLIENT }).map((path) => join(CLIENT, path)),
  ];
}

function copySources(from: string, sources: readonly string[], to: string): void {
  // Everything from before goes, also what was installed: it may no longer be asked for, and would hide that.
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const source of sources) cpSync(source, join(to, source.slice(from.length)));
}

/** As somebody installs it who has nothing but the tarball. */
function installPacked(folder: string, others: Readonly<Record<string, string>> = {}): void {
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { dependencies?: Record<string, string> };
  const client = `file:${packPackages().client}`;
  const dependencies = { ...manifest.dependencies, ...others, '@memsession/client': client };
  writeFileSync(path, JSON.stringify({ ...manifest, dependencies }));
  run('npm', ['install', '--prefer-offline', '--no-package-lock', '--no-audit', '--no-fund'], folder);
}

function run(command: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, ...BUILD_SECRETS, NEXT_TELEMETRY_DISABLED: '1' };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} failed in ${cwd}:\n${stdout}\n${stderr}`);
}

function describe(path: string): string {
  return `${path}:${hash(readFileSync(path))}`;
}

function hash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
