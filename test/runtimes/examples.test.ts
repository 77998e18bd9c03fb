import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { findFreePort } from '../../examples/start/ports.ts';
import { Project } from '../support/project.ts';
import { type RuntimeStage, startRuntimeStage } from '../support/runtime-stage.ts';
import {
  COMPATIBILITY_DATE,
  processRuntimes,
  type RunningServer,
  startServer,
  startWorker,
} from '../support/runtimes.ts';
import { TestBrowser } from '../support/test-browser.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const DOCS = readFileSync(`${ROOT}docs/runtimes.md`, 'utf8');
const SESSION_SECRET = 'a session secret for the examples of at least 32 bytes';
/** What the examples use that is not installed with our packages: the repository's own. */
const FRAMEWORKS = ['express', 'fastify'];
/** Runtime in the docs → in the tests. Bun and Deno also run what is written for Node. */
const RUNTIMES: Readonly<Record<string, readonly string[]>> = {
  node: ['Node 22', 'Node 24', 'Node 26', 'Bun', 'Deno'],
  bun: ['Bun'],
  deno: ['Deno'],
  workerd: ['workerd'],
};

interface Example {
  readonly heading: string;
  readonly runtime: string;
  readonly code: string;
}

const project = new Project();
let stage: RuntimeStage;

before(async () => {
  for (const name of FRAMEWORKS) project.link(name, `${ROOT}node_modules/${name}`);
  stage = await startRuntimeStage(project.bridge);
});

after(async () => {
  await stage[Symbol.asyncDispose]();
  project[Symbol.dispose]();
});

for (const [i, { heading, runtime, code }] of readExamples().entries()) {
  for (const name of RUNTIMES[runtime] ?? []) {
    test(`example ${i + 1}, "${heading}", runs in ${name}`, async () => {
      const file = `example${i}.ts`;
      project.writeProgram(file, code);
      await using server = await startExample(name, file);
      const browser = new TestBrowser(server.url);
      for (const views of [1, 2, 3]) {
        const response = await fetch(server.url, { headers: browser.request().headers });
        assert.equal(await response.text(), `visit ${views}`, server.complaints());
        browser.take(response.headers);
      }
      assert.deepEqual([...browser.cookies.keys()], ['session', 'session-at']);
    });
  }
}

test('there is an example for every runtime', () => {
  const runtimes = new Set(readExamples().map(({ runtime }) => runtime));
  assert.deepEqual([...runtimes].toSorted(), ['bun', 'deno', 'node', 'workerd']);
});

test('the table of runtimes has the versions that are tested', () => {
  const { version: pinned } = readJson('node_modules/node/package.json');
  const tools = readJson('test/tools/package.json');
  const versionOf = (of: Record<string, unknown>, name: string): string =>
    String(of[name]).replace(/^npm:.*@/, '');
  const short = (version: unknown): string => String(version).split('.').slice(0, 2).join('.');
  const nodes = [versionOf(asObject(tools['optionalDependencies']), 'node-22-linux-x64'), pinned].concat(
    versionOf(asObject(tools['optionalDependencies']), 'node-26-linux-x64'),
  );
  const packages = asObject(tools['dependencies']);
  const table = new Map(
    [...DOCS.matchAll(/^\| (\S[^|]*?) +\| ([^|]*?) +\|/gm)].map(([, a = '', b]) => [a, b]),
  );
  assert.equal(table.get('Node'), nodes.map(short).join(', '));
  for (const name of ['bun', 'deno', 'workerd']) {
    const row = name === 'workerd' ? name : `${name[0]?.toUpperCase()}${name.slice(1)}`;
    assert.equal(table.get(row), versionOf(packages, name), name);
  }
  assert.equal(table.get('Edge runtime'), `\`@edge-runtime/vm\` ${versionOf(packages, '@edge-runtime/vm')}`);
  assert.ok(DOCS.includes(`must be ${COMPATIBILITY_DATE} or later`));
});

async function startExample(runtime: string, file: string): Promise<RunningServer> {
  const env = { ...stage.env, SESSION_SECRET };
  if (runtime === 'workerd') return startWorker(project, project.bundle(file, 'esm'), env);
  const found = processRuntimes().find(({ name }) => name === runtime);
  assert.ok(found, `There is no runtime "${runtime}".`);
  const place = { cwd: project.path, env: { ...env, PORT: String(await findFreePort()) } };
  return startServer(found, project.compile(file), place);
}

function readExamples(): Example[] {
  let heading = '';
  return [...DOCS.matchAll(/^## (.*)$|^```ts run=(\w+)\n([\s\S]*?)^```$/gm)].flatMap(
    ([, title, runtime, code]) => {
      if (title !== undefined) heading = title;
      return runtime === undefined || code === undefined ? [] : [{ heading, runtime, code }];
    },
  );
}

function readJson(path: string): Record<string, unknown> {
  return asObject(JSON.parse(readFileSync(`${ROOT}${path}`, 'utf8')));
}

function asObject(value: unknown): Record<string, unknown> {
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value };
}
