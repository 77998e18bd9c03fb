import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { linkPackages } from '../support/packed.ts';
import { Project } from '../support/project.ts';
import { processRuntimes } from '../support/runtimes.ts';
import { requireTool } from '../support/tools.ts';

const SNAPSHOT = new URL('exports.json', import.meta.url);
const ENTRIES = [
  '@memsession/client',
  '@memsession/client/next',
  '@memsession/client/node',
  '@memsession/client/protocol',
  '@memsession/bridge',
];

const project = new Project();
after(() => project[Symbol.dispose]());

const ADVICE = 'A changed surface belongs into test/package/exports.json and the changelog.';

/** Prints what each entry exports, loaded in this way. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'import.mjs': `
const entries = ${JSON.stringify(ENTRIES)};
const names = entries.map(async (entry) => [entry, Object.keys(await import(entry)).sort()]);
console.log(JSON.stringify(Object.fromEntries(await Promise.all(names))));`,
  'require.cjs': `
const entries = ${JSON.stringify(ENTRIES)};
const names = entries.map((entry) => [entry, Object.keys(require(entry)).sort()]);
console.log(JSON.stringify(Object.fromEntries(names)));`,
};

/** Entry → names, types among them. */
interface Surface {
  readonly values: Readonly<Record<string, readonly string[]>>;
  readonly types: Readonly<Record<string, readonly string[]>>;
}

// Written by us.
const expected = JSON.parse(readFileSync(SNAPSHOT, 'utf8')) as Surface;

/** Asks a compiler, because types leave no trace in what runs. */
const TYPES = `
import ts from ${JSON.stringify(requireTool('typescript/lib/typescript.js'))};
const { ES2022, NodeNext } = { ...ts.ScriptTarget, ...ts.ModuleKind };
const options = { target: ES2022, module: NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };
const program = ts.createProgram(['types.mts'], options);
const checker = program.getTypeChecker();
const names = program.getSourceFile('types.mts').statements.map(({ moduleSpecifier }) => {
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(moduleSpecifier));
  const isValue = (symbol) => {
    const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    return (target.flags & ts.SymbolFlags.Value) !== 0;
  };
  return [moduleSpecifier.text, exported.filter((one) => !isValue(one)).map(({ name }) => name).sort()];
});
console.log(JSON.stringify(Object.fromEntries(names)));`;

// Before the frameworks are there, whose types would only take time.
test('the types of every entry are the known ones', () => {
  project.write('types.mts', ENTRIES.map((entry, i) => `import * as entry${i} from '${entry}';`).join('\n'));
  const path = project.write('types.mjs', TYPES);
  const { status, stdout, stderr } = spawnSync(process.execPath, [path], {
    cwd: project.path,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  assert.deepEqual(JSON.parse(stdout), expected.types, ADVICE);
});

for (const { name, program } of processRuntimes().filter(({ name }) => name.startsWith('Node'))) {
  for (const [file, code] of Object.entries(PROGRAMS)) {
    test(`${name} gets the known exports of every entry (${file})`, () => {
      linkPackages(project.path, ['next', 'react', 'react-dom']);
      const path = project.write(file, code);
      const { status, stdout, stderr } = spawnSync(program, [path], { cwd: project.path, encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.deepEqual(JSON.parse(stdout), expected.values, ADVICE);
    });
  }
}
