import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { launchChromium } from '../support/chromium.ts';
import { HttpVisitor } from '../support/http-visitor.ts';
import { buildFixture } from '../support/next-build.ts';
import { explain, heal, startSite } from '../support/site.ts';
import { waitUntil } from '../support/wait.ts';

const site = await startSite(buildFixture('cached', { bundler: 'turbopack' }));
const { stack, balancer } = site;
afterEach((t) => {
  explain(site, t);
  return heal(site);
});

const PATIENCE_MS = 30_000;

async function arrive(name: string): Promise<HttpVisitor> {
  const visitor = new HttpVisitor(balancer.url);
  const { status, headers } = await visitor.post('/api/login', { name });
  assert.equal(status, 200);
  assert.equal(headers.getSetCookie().length, 2);
  return visitor;
}

/** The text of the element with this id, without the marks of React. */
function textOf(page: string, id: string): string | undefined {
  return new RegExp(`id="${id}"[^>]*>(.*?)</p>`).exec(page)?.[1]?.replaceAll('<!-- -->', '');
}

test('a page with cached parts greets everybody by his own name, on every instance', async () => {
  const names = ['Ada', 'Grace', 'Edsger', 'Barbara'];
  const visitors = await Promise.all(names.map(arrive));
  const cached = new Set<string | undefined>();
  for (const pinned of [0, 1]) {
    balancer.pinned = pinned;
    const pages = await Promise.all(visitors.map((visitor) => visitor.send('/')));
    for (const [i, { text }] of pages.entries()) {
      assert.equal(textOf(text, 'greeting'), `Hello, ${names[i]}, 0`);
      for (const other of names.filter((name) => name !== names[i])) assert.ok(!text.includes(other));
      cached.add(textOf(text, 'cached'));
    }
    const stranger = await new HttpVisitor(balancer.url).send('/');
    assert.equal(textOf(stranger.text, 'greeting'), 'Hello, nobody, 0');
    assert.deepEqual(stranger.cookieNames, []);
    cached.add(textOf(stranger.text, 'cached'));
  }
  // The frame was built once, before anybody came.
  assert.equal(cached.size, 1);
});

test('a handler that reads a session is not built beforehand', async () => {
  const ada = await arrive('Ada');
  assert.equal((await ada.ask<{ name: string }>('/api/session')).name, 'Ada');
  const stranger = new HttpVisitor(balancer.url);
  assert.equal((await stranger.ask<{ name: string | null }>('/api/session')).name, null);
});

test('an action in a page with cached parts shows what it has saved', async () => {
  const browser = await launchChromium();
  after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(site.url);
  for (const count of [1, 2, 3]) {
    await page.getByRole('button', { name: 'Count', exact: true }).click();
    await page.getByText(`Hello, nobody, ${count}`).waitFor({ timeout: PATIENCE_MS });
  }
  const names = (await page.context().cookies()).map(({ name }) => name);
  assert.deepEqual(names.toSorted(), ['session', 'session-at']);
});

test('revalidatePath() after a save makes the page anew, with what was saved', async () => {
  const browser = await launchChromium();
  after(() => browser.close());
  const page = await browser.newPage();
  await page.goto(site.url);
  const cached = new Set([await page.locator('#cached').innerText()]);
  for (const count of [1, 2]) {
    await page.getByRole('button', { name: 'Count and make the page anew' }).click();
    await page.getByText(`Hello, nobody, ${count}`).waitFor({ timeout: PATIENCE_MS });
    cached.add(await page.locator('#cached').innerText());
    // The same after a visit that no action precedes, on whichever instance.
    await page.goto(site.url);
    await page.getByText(`Hello, nobody, ${count}`).waitFor({ timeout: PATIENCE_MS });
  }
  assert.ok(cached.size > 1, 'the cached part was made anew');
  const names = (await page.context().cookies()).map(({ name }) => name);
  assert.deepEqual(names.toSorted(), ['session', 'session-at']);
});

test('past half of their life, and not before, the cookies are made anew by proxy.ts and by a handler', async () => {
  const visitor = new HttpVisitor(balancer.url);
  await visitor.post('/api/short');
  for (const path of ['/short', '/api/short']) {
    const before = visitor.jar.get('short');
    assert.deepEqual((await visitor.send(path)).cookieNames, [], path);
    await waitUntil(
      async () => {
        const { cookieNames, headers, text } = await visitor.send(path);
        if (cookieNames.length === 0) return false;
        assert.deepEqual(cookieNames.toSorted(), ['short', 'short-at'], path);
        for (const line of headers.getSetCookie()) assert.match(line, /; Max-Age=10;/);
        if (path === '/short') {
          assert.equal(textOf(text, 'name'), 'Ada');
          assert.equal(textOf(text, 'seal'), visitor.jar.get('short'));
        }
        return true;
      },
      `${path} renews the cookies`,
      PATIENCE_MS,
    );
    assert.notEqual(visitor.jar.get('short'), before);
  }
  for (const pinned of [0, 1]) {
    balancer.pinned = pinned;
    assert.equal((await visitor.ask<{ name: string }>('/api/short')).name, 'Ada');
  }
});

test('a part that only the browser keeps is made for its own visitor', async () => {
  for (const name of ['Ada', 'Grace']) {
    const visitor = await arrive(name);
    assert.equal(textOf((await visitor.send('/private')).text, 'kept'), `Kept for ${name}`);
  }
});

test('when the home dies, the browser is told once, and the page is still its visitor’s', async () => {
  const visitor = await arrive('Ada');
  const { home } = await visitor.ask<{ home: number }>('/api/session');
  await stack.nodes[home]?.kill();
  await waitUntil(
    async () => {
      const { text, cookieNames } = await visitor.send('/');
      assert.equal(textOf(text, 'greeting'), 'Hello, Ada, 0');
      assert.ok(cookieNames.length <= 1);
      return !visitor.jar.get('session-at')?.startsWith(`${home}.`);
    },
    'the session has moved',
    PATIENCE_MS,
  );
});
