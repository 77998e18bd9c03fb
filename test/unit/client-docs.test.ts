import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { DEFAULTS, type SessionEvent } from '../../packages/client/src/index.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

/** Option → its default, as the table in the docs has it. */
function documentedOptions(): Map<string, string> {
  const table = read('docs/client.md').split('## Options')[1]?.split('\n## ')[0] ?? '';
  const rows = [...table.matchAll(/^\| `([\w.]+)` +\| ([^|]*)\| ([^|]*)\|/gm)];
  return new Map(rows.map(([, name = '', , value = '']) => [name, value.trim()]));
}

test('the table of options has every option, and each with its true default', () => {
  const documented = documentedOptions();
  for (const [name, value] of Object.entries(DEFAULTS)) {
    if (name === 'app') continue;
    const given = typeof value === 'object' ? Object.entries(value) : [['', value]];
    for (const [part = '', inner] of given) {
      const option = part === '' ? name : `${name}.${part}`;
      assert.equal(documented.get(option)?.replaceAll('`', ''), String(inner), option);
    }
  }
  const source = read('packages/client/src/options.ts');
  const members = (of: string): string[] => {
    const body = new RegExp(`interface ${of}\\b[^{]*\\{\\n([\\s\\S]*?)\\n\\}`).exec(source)?.[1] ?? '';
    return [...body.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name = '']) => name);
  };
  const options = members('SessionOptions').filter((name) => name !== 'cookie' && name !== 'cache');
  const cookie = members('CookieOptions').map((name) => `cookie.${name}`);
  const cache = members('CacheOptions').map((name) => `cache.${name}`);
  assert.deepEqual([...documented.keys()].toSorted(), [...options, ...cookie, ...cache].toSorted());
});

test('the docs name every event', () => {
  const types: Record<SessionEvent['type'], true> = {
    backup: true,
    relocate: true,
    takeover: true,
    conflict: true,
    restore: true,
    fallback: true,
    unavailable: true,
    rejected: true,
  };
  const text = read('docs/client.md').split('## Events')[1]?.split('\n## ')[0] ?? '';
  for (const type of Object.keys(types)) assert.ok(text.includes(`\`${type}\``), type);
});

test('the code in the docs and at the entry points compiles', () => {
  const folder = join(ROOT, 'node_modules/.cache/docs-code');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const blocks = ['docs/client.md', 'docs/migrating.md', 'docs/runtimes.md'].flatMap((path) =>
    codeIn(read(path)),
  );
  const examples = examplesIn(read('packages/client/src/manager.ts'));
  assert.ok(blocks.length >= 14 && examples.length === 2);
  for (const [i, code] of [...blocks, ...examples].entries())
    writeFileSync(join(folder, `block${i}.ts`), code);
  const compilerOptions = {
    noEmit: true,
    composite: false,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    noPropertyAccessFromIndexSignature: true,
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node'],
  };
  const config = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, include: ['*.ts'], references: [] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--project', folder], { encoding: 'utf8' });
  assert.equal(status, 0, stdout);
});

function codeIn(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts (?:compile|run=node)\n([\s\S]*?)^```$/gm)].map(
    ([, code = '']) => code,
  );
}

/** The `@example` blocks of a file, each made a module. */
function examplesIn(source: string): string[] {
  const head = `import { createSessionManager } from '@memsession/client';
const { getSession, withSession } = createSessionManager<{ views: number }>();
`;
  return [...source.matchAll(/@example\n((?: +\* .*\n)+)/g)].map(([, lines = '']) => {
    const code = lines.replaceAll(/^ +\* /gm, '');
    const isModule = code.includes('export ');
    const body = isModule ? code : `export async function example(request: Request) {\n${code}}\n`;
    // Each example uses what it needs of the two.
    return `${head}void [getSession, withSession];\n${body}`;
  });
}
