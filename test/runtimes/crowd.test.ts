import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, afterEach, before, test } from 'node:test';
import { Project } from '../support/project.ts';
import { type RuntimeStage, startRuntimeStage } from '../support/runtime-stage.ts';
import { type RunningServer, startWorker } from '../support/runtimes.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

/** For requests to get under way while answers are held; far below the client's deadline in the worker, which is 30 s. */
const MEET_MS = 400;
/** Longer than any answer takes that does not wait for it. */
const HELD_MS = 10_000;
/** Far below the client's deadline. */
const PROMPT_MS = 15_000;
const VISITS = 10;

const project = new Project();
let stage: RuntimeStage;
let worker: RunningServer;

before(async () => {
  project.copy('test/runtimes/*.ts');
  const bundle = project.bundle('crowd.ts', 'esm');
  stage = await startRuntimeStage(project.bridge);
  worker = await startWorker(project, bundle, stage.env);
});

afterEach(() => stage.release());

after(async () => {
  await worker[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  project[Symbol.dispose]();
});

/** One visit; null when it was aborted. `maxStale` chooses one of the worker's managers. */
async function visit(
  browser: TestBrowser,
  query: string,
  signal: AbortSignal | null = null,
): Promise<unknown> {
  const { headers } = browser.request();
  try {
    const response = await fetch(`${worker.url}/?${query}`, { headers, signal });
    const body: unknown = await response.json();
    assert.equal(response.status, 200, JSON.stringify(body));
    browser.take(response.headers);
    return body;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return null;
    throw error;
  }
}

async function assertPrompt(run: () => Promise<void>): Promise<void> {
  const began = performance.now();
  await run();
  assert.ok(performance.now() - began < PROMPT_MS, `it took ${Math.round(performance.now() - began)} ms`);
}

test('parallel visits of one worker neither wait for each other nor lose a save', async () => {
  const browser = new TestBrowser(`${worker.url}/`);
  await visit(browser, 'maxStale=0&set=first');
  await assertPrompt(async () => {
    const seen = await Promise.all(
      Array.from({ length: VISITS }, () => visit(browser.clone(), 'maxStale=0')),
    );
    assert.deepEqual(
      seen,
      Array.from({ length: VISITS }, () => ({ first: true })),
    );
    const fields = Array.from({ length: VISITS }, (_, i) => `field${i}`);
    await Promise.all(fields.map((field) => visit(browser.clone(), `maxStale=0&set=${field}`)));
    const expected = Object.fromEntries(['first', ...fields].map((field) => [field, true]));
    assert.deepEqual(await visit(browser, 'maxStale=0'), expected);
  });
});

for (const maxStale of [0, 3600]) {
  test(`a visit does not suffer from one that was given up (maxStale ${maxStale})`, async () => {
    const browser = new TestBrowser(`${worker.url}/`);
    await visit(browser, `maxStale=1&set=first`);
    await assertPrompt(async () => {
      stage.hold();
      const abort = new AbortController();
      const first = visit(browser, `maxStale=${maxStale}`, abort.signal);
      await sleep(MEET_MS);
      const second = visit(browser.clone(), `maxStale=${maxStale}`);
      await sleep(MEET_MS);
      abort.abort();
      assert.equal(await first, null);
      await sleep(MEET_MS);
      stage.release();
      assert.deepEqual(await second, { first: true });
    });
  });
}

test('any number of visits may be given up', async () => {
  const browser = new TestBrowser(`${worker.url}/`);
  await visit(browser, 'maxStale=0&set=first');
  stage.hold();
  const abort = new AbortController();
  const visits = Array.from({ length: 3 * VISITS }, () => visit(browser, 'maxStale=0', abort.signal));
  await sleep(MEET_MS);
  abort.abort();
  assert.deepEqual(await Promise.all(visits), Array(3 * VISITS).fill(null));
  stage.release();
  await assertPrompt(async () => {
    assert.deepEqual(await visit(browser, 'maxStale=0&set=second'), { first: true, second: true });
  });
});

test('a write that is handed to waitUntil does not hold up the answer, and is done', async () => {
  const browser = new TestBrowser(`${worker.url}/`);
  await visit(browser, 'maxStale=3600&backup=after&set=first');
  stage.delay(HELD_MS);
  const began = performance.now();
  assert.deepEqual(await visit(browser, 'maxStale=3600&backup=after&set=second'), {
    first: true,
    second: true,
  });
  const took = performance.now() - began;
  stage.delay(0);
  assert.ok(took < HELD_MS, `it took ${Math.round(took)} ms`);
  await waitUntil(
    async () => JSON.stringify(await visit(browser, 'maxStale=0')) === '{"first":true,"second":true}',
    'the write is done',
    PROMPT_MS,
  );
});
