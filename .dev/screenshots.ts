/**
 * Photographs every page of the example in Chromium: `npm run screenshots`. All pictures go to .state/screenshots,
 * the few that the docs show to docs/images.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { buildAppWhenStale } from '../examples/start/app-build.ts';
import { act, serveControl } from '../examples/start/control.ts';
import { findFreePort } from '../examples/start/ports.ts';
import { Stack } from '../examples/start/stack.ts';
import { launchChromium } from '../test/support/chromium.ts';
import { Visitor } from '../test/support/visitor.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ALL = join(ROOT, '.state/screenshots');
const SHOWN = join(ROOT, 'docs/images');
/** The desktop last: on a phone the panel is folded away. */
const SIZES = { phone: { width: 375, height: 780 }, desktop: { width: 1280, height: 860 } } as const;
const SCHEMES = ['light', 'dark'] as const;
const PAGES = {
  shop: '/',
  cart: '/cart',
  counter: '/counter',
  members: '/members',
  outage: '/outage',
  places: '/places',
  'route-handler': '/places/route-handler',
  'server-action': '/places/server-action',
  'server-component': '/places/server-component',
  proxy: '/places/proxy',
  'pages-router': '/places/pages-router',
  stream: '/places/stream',
  missing: '/nothing-here',
} as const;

async function photograph(page: Page, name: string, height?: number): Promise<void> {
  for (const [kind, size] of Object.entries(SIZES)) {
    await page.setViewportSize(height === undefined || kind === 'phone' ? size : { ...size, height });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.screenshot({ path: join(ALL, `${name}-${kind}-${colorScheme}.png`) });
    }
  }
}

/** The visitor fills the cart, loses the home of his session, then his instance, then all nodes. */
async function tellStory(stack: Stack, visitor: Visitor): Promise<void> {
  const { page } = visitor;
  await visitor.open('/login');
  await photograph(page, 'login');
  await visitor.logIn();
  for (const product of ['Assam tea', 'Lemon cake', 'Assam tea']) await visitor.add(product);
  for (const [name, path] of Object.entries(PAGES)) {
    await visitor.open(path);
    await visitor.fact('Instance', /^A$/);
    await photograph(page, name);
  }
  await visitor.open('/');
  const home = await visitor.home();
  await page.getByRole('button', { name: `Stop node ${home}` }).click();
  await visitor.told(/your session moved to node/);
  await photograph(page, 'story-node', 940);
  await page.getByRole('button', { name: 'Stop instance A' }).click();
  await page.getByRole('alert').filter({ hasText: 'does not answer' }).waitFor();
  await photograph(page, 'story-instance', 940);
  await page.getByRole('link', { name: 'Go on at instance B' }).click();
  await visitor.told(/took your session over/);
  await act(stack, stack.bridge, 'stop');
  await page.goto(`${stack.instanceUrl(1)}/outage`);
  await page.getByLabel('A note').fill('Back at five');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('is in your cookie').waitFor();
  await photograph(page, 'story-outage');
}

const failure = buildAppWhenStale(() => console.log('Building the example …'));
if (failure !== null) throw new Error(failure);
mkdirSync(ALL, { recursive: true });
mkdirSync(SHOWN, { recursive: true });
const ports: number[] = [];
while (ports.length < 8) ports.push(await findFreePort());
const [bridge = 0, bridgeAdmin = 0, control = 0] = ports;
const stack = new Stack({
  bridge,
  bridgeAdmin,
  control,
  nodes: ports.slice(3, 6),
  instances: ports.slice(6),
});
const server = await serveControl(stack);
await Promise.all(stack.nodes.map((node) => node.start()));
await stack.bridge.start();
await Promise.all(stack.instances.map((instance) => instance.start()));
const browser = await launchChromium();
try {
  await tellStory(stack, await Visitor.arrive(browser, stack.instanceUrl(0)));
  copyFileSync(join(ALL, 'story-node-desktop-light.png'), join(SHOWN, 'shop.png'));
  copyFileSync(join(ALL, 'story-instance-desktop-dark.png'), join(SHOWN, 'instance-gone.png'));
  copyFileSync(join(ALL, 'story-outage-phone-light.png'), join(SHOWN, 'outage-phone.png'));
} finally {
  await browser.close();
  server.close();
  await stack.stop();
}
