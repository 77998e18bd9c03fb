import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, relative } from 'node:path';
import { after, test } from 'node:test';
import { makeFolder, packPackages, type PackageName, readManifest } from '../support/packed.ts';
import { requireTool } from '../support/tools.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const PACKAGES: readonly PackageName[] = ['client', 'bridge'];
/** `from '…'`, `import '…'`, `import('…')` and `import.meta.resolve('…')` of what is not a path. */
const IMPORT = /(?:\bfrom |\bimport |\bimport\(|\bimport\.meta\.resolve\()["']([\w@][\w@/.:-]*)["'](?=[;)])/g;
const tarballs = packPackages();

const folder = makeFolder('tarballs');
after(() => folder[Symbol.dispose]());
for (const name of PACKAGES) {
  const target = join(folder.path, name);
  run('sh', ['-c', `mkdir "$1" && tar -xzf "$2" -C "$1" --strip-components=1`, 'sh', target, tarballs[name]]);
}

for (const name of PACKAGES) {
  test(`publint has nothing to say about @memsession/${name}`, () => {
    run(process.execPath, [requireTool('publint/src/cli.js'), tarballs[name], '--strict']);
  });

  test(`the types of @memsession/${name} are found wherever ES modules are`, () => {
    const attw = requireTool('@arethetypeswrong/cli/dist/index.js');
    run(process.execPath, [attw, tarballs[name], '--profile', 'esm-only', '--no-color', '--no-emoji']);
  });

  test(`the tarball of @memsession/${name} has what is built from the sources, and nothing else`, () => {
    const sources = join(ROOT, 'packages', name);
    const built = filesIn(sources, 'src/**/*.ts')
      .filter((file) => !file.endsWith('.d.ts'))
      .flatMap((file) => {
        const path = file.replace(/^src/, 'dist').replace(/\.ts$/, '');
        return [`${path}.d.ts`, `${path}.js`];
      });
    // For operators, as they are.
    const others = filesIn(sources, '{assets,deploy}/**/*');
    const expected = ['LICENSE', 'README.md', 'package.json', ...built, ...others];
    const packed = filesIn(join(folder.path, name), '**/*');
    assert.deepEqual(packed.toSorted(), expected.toSorted());
  });

  test(`@memsession/${name} imports only what its manifest names`, () => {
    const manifest = readManifest(join(folder.path, name));
    const named = new Set([
      ...Object.keys(manifest['dependencies'] ?? {}),
      ...Object.keys(manifest['peerDependencies'] ?? {}),
      manifest.name,
    ]);
    const used = new Set<string>();
    for (const file of globSync('dist/**/*.{js,d.ts}', { cwd: join(folder.path, name) })) {
      for (const imported of importsOf(readFileSync(join(folder.path, name, file), 'utf8')))
        used.add(imported);
    }
    assert.deepEqual(
      [...used].filter((imported) => !named.has(imported)),
      [],
    );
    const unused = [...named].filter((dependency) => dependency !== manifest.name && !used.has(dependency));
    assert.deepEqual(unused, []);
  });

  test(`the manifest of @memsession/${name} says what it is and where it runs`, () => {
    const { description, keywords, license, engines, type, scripts } = readManifest(join(folder.path, name));
    assert.ok(typeof description === 'string' && description.length > 20);
    assert.ok(Array.isArray(keywords) && keywords.includes('session'));
    assert.deepEqual([license, type, engines], ['MIT', 'module', { node: '>=22.13.0' }]);
    // What runs at somebody else's install is nobody's wish.
    const hooks = Object.keys(scripts ?? {}).filter((script) => /install|prepare/.test(script));
    assert.deepEqual(hooks, []);
  });
}

/** Paths relative to `root`. */
function filesIn(root: string, pattern: string): string[] {
  return globSync(pattern, { cwd: root, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));
}

/** Names of the packages that a file imports, without the platform's own. */
function importsOf(code: string): string[] {
  const specifiers = [...code.matchAll(IMPORT)].map(([, specifier = '']) => specifier);
  return specifiers
    .filter((specifier) => !specifier.startsWith('node:') && !builtinModules.includes(specifier))
    .map((specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'));
}

function run(program: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${stdout}${stderr}`);
}
