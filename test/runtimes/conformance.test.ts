import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { Project } from '../support/project.ts';
import { type RuntimeStage, startRuntimeStage } from '../support/runtime-stage.ts';
import { processRuntimes, runToEnd, startWorker } from '../support/runtimes.ts';
import { requireTools } from '../support/tools.ts';
import type { Verdict } from './suite.ts';

const project = new Project();
let stage: RuntimeStage;

before(async () => {
  project.copy('test/runtimes/*.ts');
  stage = await startRuntimeStage(project.bridge);
});

after(async () => {
  await stage[Symbol.asyncDispose]();
  project[Symbol.dispose]();
});

for (const runtime of processRuntimes()) {
  test(`the packed client keeps its promises in ${runtime.name}`, async (t) => {
    const file = await build(() => project.compile('program.ts'));
    await report(t, await runToEnd(runtime, file, { cwd: project.path, env: stage.env }));
  });
}

test('the packed client keeps its promises in the Edge runtime', async (t) => {
  const node = processRuntimes().find(({ program }) => program === process.execPath);
  assert.ok(node);
  project.link('@edge-runtime/vm', join(requireTools(), '@edge-runtime/vm'));
  const BUNDLE = await build(() => project.bundle('suite.ts', 'iife'));
  const file = await build(() => project.compile('edge.ts'));
  await report(t, await runToEnd(node, file, { cwd: project.path, env: { ...stage.env, BUNDLE } }));
});

test('the packed client keeps its promises in workerd', async (t) => {
  const bundle = await build(() => project.bundle('worker.ts', 'esm'));
  await using worker = await startWorker(project, bundle, stage.env);
  const response = await fetch(worker.url);
  await report(t, await response.text());
});

/** Building keeps this process busy, and with it the nodes: afterwards the bridge must have found them well again. */
async function build(make: () => string): Promise<string> {
  const file = make();
  await stage.control('start');
  return file;
}

/** Each check a test of its own. */
async function report(t: TestContext, output: string): Promise<void> {
  // What the program prints.
  const verdicts = JSON.parse(output) as Verdict[];
  assert.ok(verdicts.length > 10);
  for (const { title, error } of verdicts) await t.test(title, () => assert.equal(error, null));
}
