import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const ROOT = new URL('../..', import.meta.url).pathname;
const DOCS = readFileSync(join(ROOT, 'docs/nextjs.md'), 'utf8');

/** A block that begins with the path of its file. */
interface Snippet {
  readonly path: string;
  readonly code: string;
}

const snippets: readonly Snippet[] = [...DOCS.matchAll(/^```tsx compile\n\/\/ (\S+)\n([\s\S]*?)^```$/gm)].map(
  ([, path = '', code = '']) => ({ path, code }),
);

/** As the example app has it, and stricter. */
const COMPILER_OPTIONS = {
  target: 'ES2022',
  lib: ['dom', 'dom.iterable', 'esnext'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noUnusedLocals: true,
  noEmit: true,
  module: 'esnext',
  moduleResolution: 'bundler',
  isolatedModules: true,
  skipLibCheck: true,
  jsx: 'react-jsx',
  types: ['react', 'node'],
  paths: { '@/*': ['./*'] },
};

test('all code in the docs about Next.js is one app that compiles', () => {
  const fences = [...DOCS.matchAll(/^```\w+/gm)].length;
  assert.equal(snippets.length, fences);
  assert.equal(new Set(snippets.map(({ path }) => path)).size, snippets.length);
  const folder = join(ROOT, 'node_modules/.cache/nextjs-docs');
  rmSync(folder, { recursive: true, force: true });
  for (const { path, code } of snippets) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), code);
  }
  const include = ['**/*.ts', '**/*.tsx'];
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: COMPILER_OPTIONS, include }),
  );
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--project', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

test('the docs about Next.js and the example name the same places', () => {
  const places = readFileSync(join(ROOT, 'examples/nextjs/lib/places.ts'), 'utf8');
  const calls = [...places.matchAll(/read: '(getSession\([^']*\))'/g)].map(([, call = '']) => call);
  assert.ok(calls.length >= 5);
  for (const call of calls) assert.ok(DOCS.includes(`\`${call}\``), call);
});

test('every picture of the example in the docs is there, and is small', () => {
  let shown = 0;
  for (const page of ['README.md', 'docs/nextjs.md']) {
    const text = readFileSync(join(ROOT, page), 'utf8');
    for (const [, link = ''] of text.matchAll(/!\[[^\]]+\]\(([^)]+\.png)\)/g)) {
      shown += 1;
      assert.ok(statSync(join(ROOT, dirname(page), link)).size < 150_000, link);
    }
  }
  assert.ok(shown >= 3);
});
