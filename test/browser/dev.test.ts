import assert from 'node:assert/strict';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { launchChromium } from '../support/chromium.ts';
import { explain, startSite } from '../support/site.ts';

const ROOT = join(import.meta.dirname, '../..');
/** A copy, because it is edited; inside of the repository, where Next.js and the client are found. */
const folder = join(ROOT, '.state', `dev-app-${process.pid}`);
after(() => rmSync(folder, { recursive: true, force: true }));
cpSync(join(import.meta.dirname, 'fixtures/cached'), folder, {
  recursive: true,
  filter: (path) => !/[/\\](\.next|node_modules)$/.test(path),
});

const site = await startSite(folder, 'dev');
const { stack } = site;
afterEach((t) => explain(site, t));

/** Nothing is compiled before it is asked for. */
const PATIENCE_MS = 60_000;

function edit(path: string, before: string, after: string): void {
  const file = join(folder, path);
  const text = readFileSync(file, 'utf8');
  assert.ok(text.includes(before));
  writeFileSync(file, text.replace(before, after));
}

test('sessions outlive an edit in development, also while no bridge can be asked', async () => {
  const browser = await launchChromium();
  after(() => browser.close());
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(stack.instanceUrl(0));
  await page.getByRole('button', { name: 'Count', exact: true }).click();
  await page.getByText('Hello, nobody, 1').waitFor();

  // Now the session is nowhere but in the memory of the process, which no edit may empty.
  await stack.bridge.kill();
  edit('lib/session.ts', 'createSessions<', '/* edited */ createSessions<');
  edit('app/page.tsx', 'First words', 'Second words');
  await page.getByRole('heading', { name: 'Second words' }).waitFor();
  await page.reload();
  await page.getByText('Hello, nobody, 1').waitFor();

  await stack.bridge.start();
  edit('app/actions.ts', '+ 1', '+ 10');
  // What is edited later is seen later: then the action is the new one too.
  edit('app/page.tsx', 'Second words', 'Third words');
  await page.getByRole('heading', { name: 'Third words' }).waitFor();
  await page.getByRole('button', { name: 'Count', exact: true }).click();
  await page.getByText('Hello, nobody, 11').waitFor();
  const lines = stack.instances.flatMap(({ lastLines }) => lastLines);
  assert.equal(lines.filter((line) => line.includes('neither Secure nor prefixed')).length, 1);
  // A page that reads the session reads the time, and does not show it.
  assert.deepEqual(
    lines.filter((line) => line.includes('unstable value')),
    [],
  );
});
