import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { Project } from '../support/project.ts';
import { requireTool } from '../support/tools.ts';

const DOCS = new URL('../../docs/client-size.md', import.meta.url);
/** Growth that nobody needs to hear of. */
const TOLERANCE = 0.05;

const project = new Project();
after(() => project[Symbol.dispose]());

interface Bundle {
  readonly minified: number;
  readonly gzipped: number;
  /** Package → minified bytes. */
  readonly packages: ReadonlyMap<string, number>;
  /** What it imports from outside. */
  readonly imports: readonly string[];
}

/** Rows of the first table: what → which entry, without which packages. */
const MEASURED: ReadonlyMap<string, readonly [entry: string, without: readonly string[]]> = new Map([
  ['`@memsession/client`', ['', []]],
  ['… without iron-session and jose', ['', ['iron-session', 'jose']]],
  ['… without any dependency', ['', ['iron-session', 'jose', 'lru-cache', 'cookie']]],
  ['`@memsession/client/next`, without Next', ['/next', ['next']]],
  ['`@memsession/client/node`', ['/node', []]],
  ['`@memsession/client/protocol`', ['/protocol', []]],
]);

for (const [what, [entry, without]] of MEASURED) {
  test(`the docs know the size of ${what}`, () => {
    const { minified, gzipped } = bundle(entry, without);
    assertClose(what, documented(what), [minified, gzipped]);
  });
}

test('the docs know what is in the client, and nothing else is', () => {
  const { packages } = bundle('', []);
  const table = readFileSync(DOCS, 'utf8').split('What is in the first line')[1] ?? '';
  const rows = [...table.matchAll(/^\| ([@a-z][\w@/-]*) +\| (\d+) /gm)];
  const known = new Map(rows.map(([, name = '', bytes]) => [name, Number(bytes)]));
  known.delete('package');
  assert.deepEqual([...packages.keys()].toSorted(), [...known.keys()].toSorted());
  const names = [...packages.keys()];
  assertClose(
    names.join(', '),
    names.map((name) => known.get(name) ?? 0),
    [...packages.values()],
  );
});

test('the core and the protocol import nothing from any platform', () => {
  for (const entry of ['', '/protocol']) assert.deepEqual(bundle(entry, []).imports, []);
});

function bundle(entry: string, without: readonly string[]): Bundle {
  const source = project.write('entry.mjs', `export * from '@memsession/client${entry}';\n`);
  const meta = join(project.path, 'meta.json');
  const target = join(project.path, 'entry.out.mjs');
  const options = ['--bundle', '--minify', '--format=esm', '--log-level=warning'];
  const platform =
    entry === '/node'
      ? ['--platform=node']
      : ['--platform=browser', '--conditions=workerd,worker,browser', '--external:node:*'];
  const external = without.map((name) => `--external:${name}`);
  const { status, stderr } = spawnSync(
    requireTool('esbuild/bin/esbuild'),
    [source, ...options, ...platform, ...external, `--metafile=${meta}`, `--outfile=${target}`],
    { cwd: project.path, encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  const code = readFileSync(target);
  // The format of esbuild's metafile.
  const { outputs } = JSON.parse(readFileSync(meta, 'utf8')) as {
    outputs: Record<
      string,
      { inputs: Record<string, { bytesInOutput: number }>; imports: { path: string; external?: boolean }[] }
    >;
  };
  const [output] = Object.values(outputs);
  assert.ok(output);
  return {
    minified: code.length,
    gzipped: gzipSync(code, { level: 9 }).length,
    packages: sumByPackage(output.inputs),
    imports: output.imports.filter(({ external: is }) => is === true).map(({ path }) => path),
  };
}

function sumByPackage(inputs: Record<string, { bytesInOutput: number }>): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1];
    if (name !== undefined && bytesInOutput > 0) sums.set(name, (sums.get(name) ?? 0) + bytesInOutput);
  }
  return sums;
}

function documented(what: string): number[] {
  const row = readFileSync(DOCS, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`| ${what} `));
  return [...(row ?? '').matchAll(/\| (\d+) +(?=\|)/g)].map(([, number]) => Number(number));
}

function assertClose(what: string, expected: readonly number[], actual: readonly number[]): void {
  const isClose = actual.every((bytes, i) => {
    const known = expected[i] ?? 0;
    return Math.abs(bytes - known) <= known * TOLERANCE;
  });
  assert.ok(isClose, `${what}: docs/client-size.md has ${expected.join(', ')}; it is ${actual.join(', ')}`);
}
