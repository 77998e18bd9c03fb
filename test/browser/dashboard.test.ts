import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';
import { findBarriers } from '../support/barriers.ts';
import { launchChromium } from '../support/chromium.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { ADMIN_TOKEN, makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

/** How long a change may take until it is seen; the machine may be busy. */
const LIMIT_MS = 40_000;

let browser: Browser;
let bridge: BridgeProcess;
let nodes: Memcached[] = [];
/** Whatever a browser complained about, and wherever it went. */
const complaints: string[] = [];
const asked = new Set<string>();

before(async () => {
  nodes = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  bridge = await startBridgeProcess({ nodes: nodes.map(({ port }) => port) });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await bridge?.[Symbol.asyncDispose]();
  for (const node of nodes) await node.kill();
});

afterEach(async (t) => {
  if ('passed' in t && t.passed) return;
  // What it has left open, stopped or killed.
  await Promise.all(browser?.contexts().map((context) => context.close()) ?? []);
  for (const node of nodes) await node.restart();
});

async function open(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  page.on('console', (message) => {
    // What the login answers to a wrong token shows up here too, and is meant; and whoever types sooner than the
    // browser sets the focus is told so.
    if (!/401|Autofocus processing/.test(message.text())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => asked.add(request.url()));
  await page.goto(bridge.adminUrl);
  return page;
}

async function logIn(options: BrowserContextOptions = {}): Promise<Page> {
  const page = await open(options);
  await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.locator('tr[data-index="2"]').waitFor();
  return page;
}

function stateOf(page: Page, index: number): Promise<string> {
  return page.locator(`tr[data-index="${index}"] .badge`).innerText();
}

async function waitForState(page: Page, index: number, state: RegExp): Promise<void> {
  await waitUntil(async () => state.test(await stateOf(page, index)), `node ${index} is ${state}`, LIMIT_MS);
}

test('a wrong token is refused in words, the right one opens, and neither is ever in an address', async () => {
  const page = await open();
  assert.match(page.url(), /\/dashboard\/login$/);
  assert.deepEqual(await findBarriers(page), []);
  await page.getByLabel('Admin token').fill('a wrong token of at least 32 bytes');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').waitFor();
  assert.equal(await page.getByRole('alert').innerText(), 'This is not the token.');
  await page.getByLabel('Admin token').fill(ADMIN_TOKEN);
  await page.keyboard.press('Enter');
  await page.locator('tr[data-index="2"]').waitFor();
  assert.match(page.url(), /\/dashboard$/);
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Admin token').waitFor();
  await page.goto(`${bridge.adminUrl}/dashboard`);
  assert.match(page.url(), /\/dashboard\/login$/);
  assert.ok([...asked].every((url) => !url.includes('token')));
  await page.context().close();
});

test('a node that is killed, one that hangs, and their return are seen without reloading', async () => {
  const page = await logIn();
  const status = page.locator('#status');
  await waitUntil(async () => (await status.innerText()) === '● All is well', 'all is well', LIMIT_MS);
  assert.equal(await page.locator('#summary').innerText(), 'All 3 nodes can be used.');

  await nodes[1]?.kill();
  await waitForState(page, 1, /down/);
  assert.match(await status.innerText(), /Degraded/);
  assert.equal(await page.locator('#summary').innerText(), 'Node 1 of 3 cannot be used.');
  assert.match(await page.locator('#incidents li').first().innerText(), /Node 1 is down: /);
  assert.match(await page.title(), /^◐/);
  await nodes[1]?.restart();
  await waitForState(page, 1, /up/);

  await nodes[0]?.stop();
  // Somebody has to notice: probes come late to a node that was well.
  const visits = setInterval(() => void bridge.client.get(makeId([0])).catch(() => null), 50);
  await waitForState(page, 0, /down/).finally(() => clearInterval(visits));
  assert.match(await page.locator('tr[data-index="0"] .state').innerText(), /time-out/);
  nodes[0]?.resume();
  await waitForState(page, 0, /up/);
  await waitUntil(async () => (await status.innerText()) === '● All is well', 'all is well again', LIMIT_MS);
  await page.context().close();
});

test('plots tell their numbers to those who do not see them', async () => {
  const page = await logIn();
  await bridge.client.get(makeId());
  for (const plot of await page.locator('#plots figure').all()) {
    await waitUntil(
      async () => /^Now: .+ .+\.$/.test((await plot.locator('figcaption').textContent()) ?? ''),
      'the plot has its words',
      LIMIT_MS,
    );
    assert.ok((await plot.locator('canvas').count()) > 0);
    await plot.getByText('As numbers').click();
    await plot.locator('tbody tr').first().waitFor();
  }
  await page.context().close();
});

test('a node is drained and used again by keyboard alone, and nothing happens without a yes', async () => {
  const page = await logIn();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate('document.activeElement?.textContent'), 'Skip to the nodes');
  const drain = page.getByRole('button', { name: 'Drain: node 2' });
  const dialog = page.getByRole('dialog', { name: 'Drain this node?' });
  await drain.focus();
  await page.keyboard.press('Enter');
  await dialog.waitFor();
  assert.deepEqual(await findBarriers(page), []);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  assert.doesNotMatch(await stateOf(page, 2), /draining/);
  await drain.focus();
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Yes' }).focus();
  await page.keyboard.press('Enter');
  await waitForState(page, 2, /draining/);
  await page.locator('#outcome').filter({ hasText: 'MEMCACHED_NODES=' }).waitFor();
  await page.getByRole('button', { name: 'Use again: node 2' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').getByRole('button', { name: 'Yes' }).focus();
  await page.keyboard.press('Enter');
  await waitForState(page, 2, /up/);
  await page.context().close();
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [device, width] of [
    ['desk', 1280],
    ['tablet', 820],
    ['phone', 390],
  ] as const) {
    test(`on a ${device} in ${colorScheme} colours nothing is cut off or hard to read`, async () => {
      const page = await logIn({ colorScheme, viewport: { width, height: 844 } });
      await page.locator('#plots canvas').first().waitFor();
      const wide = await page.evaluate<number>('document.documentElement.scrollWidth');
      const background = await page.evaluate<string>(
        'getComputedStyle(document.documentElement).backgroundColor',
      );
      assert.ok(wide <= width, `${wide} > ${width}`);
      const [red = 0] = (/\d+/.exec(background) ?? []).map(Number);
      assert.equal(red > 128, colorScheme === 'light', background);
      assert.deepEqual(await findBarriers(page), []);
      await page.context().close();
    });
  }
}

test('the pages take everything from the bridge itself, and the browser has nothing to complain about', async () => {
  const response = await fetch(`${bridge.adminUrl}/dashboard/login`);
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  const page = await logIn();
  await page.getByRole('link', { name: 'API' }).click();
  await page.getByRole('heading', { level: 1 }).waitFor();
  assert.deepEqual(await findBarriers(page), []);
  for (const url of asked) assert.equal(new URL(url).origin, bridge.adminUrl);
  assert.deepEqual(complaints, []);
});
