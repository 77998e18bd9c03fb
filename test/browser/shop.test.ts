import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import type { Response } from 'playwright-core';
import { findBarriers } from '../support/barriers.ts';
import { launchChromium } from '../support/chromium.ts';
import { buildExample } from '../support/next-build.ts';
import { explain, heal, startSite } from '../support/site.ts';
import { Visitor } from '../support/visitor.ts';
import { waitUntil } from '../support/wait.ts';

const PLACES = ['route-handler', 'server-action', 'server-component', 'proxy', 'pages-router', 'stream'];
/** Every page that a member can open. */
const PATHS = [
  ...['/', '/cart', '/counter', '/members', '/outage', '/places'],
  ...PLACES.map((place) => `/places/${place}`),
];

const site = await startSite(buildExample());
const { stack, balancer } = site;
const browser = await launchChromium();
after(() => browser.close());
afterEach(async (t) => {
  explain(site, t);
  balancer.holding = null;
  // Their pages would go on asking.
  await Promise.all(browser.contexts().map((context) => context.close()));
  await heal(site);
});

function arrive(options: { javaScriptEnabled?: boolean } = {}): Promise<Visitor> {
  return Visitor.arrive(browser, site.url, options);
}

test('a session outlives its instance and its node, and ends everywhere with the logout', async () => {
  const visitor = await arrive();
  balancer.pinned = 0;
  await visitor.logIn();
  await visitor.add('Assam tea');
  await visitor.fact('Instance', /^A$/);
  const home = await visitor.home();
  const who = (await visitor.cookies()).get('session');

  await stack.instances[0]?.kill();
  balancer.pinned = 1;
  await visitor.open('/');
  await visitor.page.getByRole('heading', { name: 'Welcome, Ada' }).waitFor();
  await visitor.fact('Instance', /^B$/);

  await stack.nodes[home]?.kill();
  await visitor.fact('Home', new RegExp(`^node [^${home}]$`));
  const cookies = await visitor.cookies();
  assert.equal(cookies.get('session'), who);
  assert.equal(Number(cookies.get('session-at')?.split('.')[0]), await visitor.home());
  await visitor.add('Scones');
  await visitor.open('/cart');
  for (const name of ['Assam tea', 'Scones']) await visitor.page.getByRole('rowheader', { name }).waitFor();

  const thief = await arrive();
  await thief.context.addCookies(await visitor.context.cookies());
  await visitor.logOut();
  assert.equal((await visitor.cookies()).size, 0);
  await thief.open('/members');
  await thief.page.getByRole('heading', { name: 'Log in' }).waitFor();
});

test('two tabs that fill one cart at once, on two instances, lose nothing', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  const tabs = [visitor.page, await visitor.context.newPage()];
  await Promise.all(
    tabs.map(async (page) => {
      await visitor.open('/', page);
      for (let i = 0; i < 5; i += 1) {
        const answer = page.waitForResponse((response) => response.request().method() === 'POST');
        await page.getByRole('button', { name: 'Add Heather honey to the cart' }).click();
        assert.equal((await answer).status(), 200);
      }
    }),
  );
  await visitor.lookBehind();
  await visitor.open('/cart');
  const row = visitor.page.getByRole('row').filter({ hasText: 'Heather honey' });
  assert.equal(await row.getByRole('cell').first().innerText(), '10');
});

test('what requests at the same moment have saved is shown, in whatever order they are answered', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  await visitor.open('/cart');
  // Who was answered first by its instance is answered last by the balancer, and its cookie stays.
  let answered: (() => void)[] = [];
  balancer.holding = (path) => {
    if (path !== '/api/cart') return undefined;
    return new Promise((pass) => {
      answered.push(pass);
      if (answered.length < 3) return;
      for (const [turn, go] of answered.toReversed().entries()) setTimeout(go, 50 * turn);
      answered = [];
    });
  };
  const mugs = visitor.page.getByRole('row').filter({ hasText: 'Stoneware mug' });
  // More than once: it depends on the instance that is asked next, whether what it knows is enough.
  for (let count = 3; count <= 12; count += 3) {
    await visitor.page.getByRole('button', { name: 'Add three mugs' }).click();
    await mugs.getByRole('cell', { name: String(count), exact: true }).waitFor();
    await visitor.page.getByText('All 3 were stored.').waitFor();
  }
});

test('a counter counts every one of many calls at the same moment', async () => {
  const visitor = await arrive();
  await visitor.open('/counter');
  await visitor.page.getByRole('button', { name: 'Count', exact: true }).click();
  await visitor.page.getByLabel('The count').filter({ hasText: /^1$/ }).waitFor();
  await visitor.page.getByRole('button', { name: 'Count ten times' }).click();
  await visitor.page.getByLabel('The count').filter({ hasText: /^11$/ }).waitFor();
});

test('the back button shows no member’s page after the logout', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  await visitor.page.getByRole('link', { name: 'Members' }).click();
  await visitor.page.getByRole('heading', { name: 'The lemon cake' }).waitFor();
  await visitor.logOut();
  await visitor.page.goBack();
  await visitor.page.getByRole('heading', { name: 'Log in' }).waitFor();
  assert.equal(await visitor.page.getByText('the zest of three lemons').count(), 0);
  // The same with a page that the browser itself has kept.
  await visitor.logIn();
  await visitor.open('/members');
  const elsewhere = await visitor.context.newPage();
  await visitor.open('/', elsewhere);
  await elsewhere.getByRole('button', { name: 'Log out' }).click();
  await elsewhere.getByText('You are logged out').waitFor();
  await visitor.open('/places');
  await visitor.page.goBack();
  await visitor.page.getByRole('heading', { name: 'Log in' }).waitFor();
});

test('a node that dies in the middle of a form costs nothing', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  await visitor.open('/places/server-action');
  await visitor.page.getByLabel('A note').fill('written before it died');
  await stack.nodes[await visitor.home()]?.kill();
  await visitor.page.getByRole('button', { name: 'Save', exact: true }).click();
  await visitor.page.getByText('Saved: “written before it died”').waitFor();
});

test('a node that hangs in the middle of a form costs nothing', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  await visitor.open('/places/server-action');
  await visitor.page.getByLabel('A note').fill('written before it hung');
  stack.nodes[await visitor.home()]?.freeze();
  await visitor.page.getByRole('button', { name: 'Save and redirect' }).click();
  await visitor.page.waitForURL('**/places/server-action?saved');
  await visitor.page.getByText('Saved: “written before it hung”').waitFor();
});

test('what is saved while the bridge is gone rides in the cookie, and is stored when it is back', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  // Each instance has the session in its memory, so that it can go on without a bridge.
  for (const instance of [0, 1]) {
    balancer.pinned = instance;
    await visitor.open('/outage');
  }
  balancer.pinned = null;
  await stack.bridge.kill();
  await visitor.page.getByLabel('A note').fill('kept by the browser');
  await visitor.page.getByRole('button', { name: 'Save' }).click();
  await visitor.page.getByText('“kept by the browser” is in your cookie').waitFor();
  await visitor.page.getByRole('status').filter({ hasText: 'cannot be reached' }).waitFor();
  assert.ok(((await visitor.cookies()).get('session-at') ?? '').split('.').length > 3);
  await visitor.open('/members');
  await visitor.page.getByRole('heading', { name: 'The lemon cake' }).waitFor();
  await stack.bridge.start();
  await visitor.told('what you saved meanwhile is stored');
  assert.equal((await visitor.cookies()).get('session-at')?.split('.').length, 3);
  await visitor.open('/outage');
  await visitor.page.getByText('“kept by the browser” is stored').waitFor();
});

test('an instance that cannot know a session says so, and nobody is logged out', async () => {
  const visitor = await arrive();
  balancer.pinned = 0;
  await visitor.logIn();
  const cookies = await visitor.cookies();
  await stack.bridge.kill();
  balancer.pinned = 1;
  await visitor.open('/members');
  await visitor.page.getByRole('heading', { name: 'We cannot reach your session' }).waitFor();
  assert.deepEqual(await visitor.cookies(), cookies);
  await stack.bridge.start();
  await waitUntil(
    async () => {
      await visitor.page
        .getByRole('button', { name: 'Try again' })
        .click()
        .catch(() => undefined);
      return visitor.page.getByRole('heading', { name: 'The lemon cake' }).isVisible();
    },
    'the page is there again',
    60_000,
  );
});

test('the panel stops the home and the instance, and tells in words what has happened', async () => {
  const visitor = await Visitor.arrive(browser, stack.instanceUrl(0));
  await visitor.logIn();
  await visitor.add('Plum jam');
  const home = await visitor.home();
  await visitor.page.getByRole('button', { name: `Stop node ${home}` }).click();
  await visitor.told(
    new RegExp(`Node ${home} is gone, your session moved to node \\d, version 2, nothing lost\\.`),
  );
  await visitor.page.getByRole('button', { name: `Start node ${home}` }).click();
  await visitor.told(`Node ${home} is back, empty.`);
  await visitor.page.getByRole('button', { name: 'Stop instance A' }).click();
  const alert = visitor.page.getByRole('alert').filter({ hasText: 'Instance A does not answer any more.' });
  await alert.getByRole('link', { name: 'Go on at instance B' }).click();
  await visitor.told('You came from instance A; instance B took your session over, version 2, nothing lost.');
  assert.equal(new URL(visitor.page.url()).origin, stack.instanceUrl(1));
  assert.equal(new URL(visitor.page.url()).hash, '');
  await visitor.page.getByRole('heading', { name: 'Welcome, Ada' }).waitFor();
});

test('what the browser fetches before it is asked for sets no cookie and saves nothing', async () => {
  const visitor = await arrive();
  await visitor.logIn();
  const before = await visitor.cookies();
  const prefetched: string[] = [];
  const setting: string[] = [];
  const look = async (response: Response): Promise<void> => {
    const headers = await response.request().allHeaders();
    if (headers['next-router-prefetch'] === undefined) return;
    if ((await response.headerValue('set-cookie')) !== null) setting.push(response.url());
    prefetched.push(response.url());
  };
  // Of what comes last the page may be closed before it has told.
  visitor.page.on('response', (response) => void look(response).catch(() => undefined));
  await visitor.open('/places');
  await waitUntil(() => prefetched.length >= 8, 'the links are prefetched', 30_000);
  assert.deepEqual(setting, []);
  assert.deepEqual(await visitor.cookies(), before);
  await visitor.fact('Version', /^1$/);
});

test('everything but the panel works without JavaScript', async () => {
  const visitor = await arrive({ javaScriptEnabled: false });
  await visitor.logIn('Grace');
  await visitor.add('Lemon cake');
  await visitor.add('Lemon cake');
  await visitor.open('/cart');
  await visitor.page.getByRole('button', { name: 'Remove one Lemon cake' }).click();
  const row = visitor.page.getByRole('row').filter({ hasText: 'Lemon cake' });
  await row.getByRole('cell', { name: '1', exact: true }).waitFor();
  await visitor.open('/places/route-handler');
  await visitor.page.getByLabel('The same without JavaScript').fill('from a plain form');
  await visitor.page.getByRole('button', { name: 'Save and come back' }).click();
  await visitor.page.waitForURL('**/places/route-handler?saved');
  assert.equal(
    await visitor.page.getByLabel('The same without JavaScript').inputValue(),
    'from a plain form',
  );
  await visitor.logOut();
  assert.equal((await visitor.cookies()).size, 0);
});

test('every page fits a phone and a desktop, has one heading, and complains about nothing', async () => {
  const visitor = await arrive();
  const { page } = visitor;
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    complaints.push(`${message.text()} ${message.location().url}`);
  });
  await visitor.logIn('Ada, who has a name as long as it may be');
  await visitor.add('Stoneware mug');
  for (const path of PATHS) {
    for (const width of [375, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      if (width === 375) await visitor.open(path);
      const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
      assert.ok(Number(overflow) <= 0, `${path} at ${width}`);
    }
    assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1, path);
    assert.match(await page.title(), /The Tea Room$/, path);
  }
  assert.deepEqual(complaints, []);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`no page keeps anybody out, in ${colorScheme} colours, and the way past the navigation leads to the content`, async () => {
    const visitor = await arrive();
    const { page } = visitor;
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await visitor.open('/login');
    assert.deepEqual(await findBarriers(page), [], '/login');
    await visitor.logIn();
    await visitor.add('Stoneware mug');
    for (const width of [375, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      for (const path of [...PATHS, '/nothing-here']) {
        await visitor.open(path);
        if (width > 375) await visitor.fact('Instance', /^[AB]$/);
        assert.deepEqual(await findBarriers(page), [], `${path} at ${width}`);
      }
    }
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/#main$/);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.closest("main") !== null'), true);
  });
}
