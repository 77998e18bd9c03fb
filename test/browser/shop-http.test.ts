import assert from 'node:assert/strict';
import { globSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { HttpVisitor, type Seen } from '../support/http-visitor.ts';
import { buildExample, BUILD_SECRETS } from '../support/next-build.ts';
import { explain, heal, startSite } from '../support/site.ts';
import { waitUntil } from '../support/wait.ts';

const folder = buildExample();
const site = await startSite(folder);
const { stack, balancer } = site;
afterEach((t) => {
  explain(site, t);
  return heal(site);
});

/** What `GET /api/session` shows. */
interface Look {
  readonly instance: string;
  readonly name: string | null;
  readonly cart: readonly string[];
  readonly home: number;
  readonly version: number;
}

const PAGES = ['/', '/cart', '/counter', '/members', '/places', '/places/proxy', '/outage'];
const PATIENCE_MS = 30_000;

async function arrive(): Promise<HttpVisitor> {
  const visitor = new HttpVisitor(balancer.url);
  const { cookieNames } = await visitor.post('/api/login', { name: 'Ada' });
  assert.deepEqual(cookieNames.toSorted(), ['session', 'session-at']);
  return visitor;
}

/** Kills the node on which the session lives, without telling the browser of the new one. */
async function killHome(visitor: HttpVisitor): Promise<number> {
  const { home } = await visitor.clone().ask<Look>('/api/session');
  await stack.nodes[home]?.kill();
  return home;
}

/** Resolves when each instance knows that the session has left this node, so that cookies are due everywhere. */
async function untilAllKnow(visitor: HttpVisitor, left: number): Promise<void> {
  for (const pinned of [0, 1]) {
    balancer.pinned = pinned;
    const other = visitor.clone();
    await waitUntil(
      async () => {
        await other.send('/');
        return !other.jar.get('session-at')?.startsWith(`${left}.`);
      },
      'the instance knows the new home',
      PATIENCE_MS,
    );
  }
  balancer.pinned = null;
}

function assertOnceEach({ cookieNames }: Seen): void {
  assert.equal(new Set(cookieNames).size, cookieNames.length, cookieNames.join());
}

test('the app runs outside of the repository, on the packed package alone', () => {
  const installed = join(folder, 'node_modules/@memsession/client');
  assert.ok(lstatSync(installed).isDirectory());
  assert.deepEqual(globSync('src', { cwd: installed }), []);
  const sources = globSync('**/*.{ts,tsx}', { cwd: folder, exclude: ['node_modules', '.next'] });
  assert.ok(sources.length > 40);
  for (const source of sources) {
    const text = readFileSync(join(folder, source), 'utf8');
    assert.doesNotMatch(text, /from '[^']*(packages\/|\.\.\/\.\.\/\.\.)/, source);
  }
});

test('no secret of the environment is in anything that is built', () => {
  const built = globSync('.next/**/*', { cwd: folder }).map((path) => join(folder, path));
  const files = built.filter((path) => lstatSync(path).isFile());
  assert.ok(files.some((path) => path.includes('static')));
  for (const file of files) {
    const text = readFileSync(file, 'latin1');
    for (const [name, value] of Object.entries(BUILD_SECRETS)) assert.ok(!text.includes(value), name);
  }
});

test('an instance warns once that its cookies are not Secure, whatever handles its requests', async () => {
  await stack.instances[0]?.kill();
  await stack.instances[0]?.start();
  balancer.pinned = 0;
  const visitor = await arrive();
  for (const path of [...PAGES, '/places/pages-router']) {
    assert.equal((await visitor.send(path)).status, 200, path);
  }
  await visitor.post('/api/cart', { item: 'tea' });
  const lines = stack.instances[0]?.lastLines ?? [];
  assert.equal(lines.filter((line) => line.includes('neither Secure nor prefixed')).length, 1);
});

test('of a storm of prefetches none sets a cookie; the visit after them sets each once', async () => {
  const visitor = await arrive();
  const home = await killHome(visitor);
  await untilAllKnow(visitor, home);
  const kinds = [{ 'next-router-prefetch': '1' }, { 'sec-purpose': 'prefetch' }, { purpose: 'prefetch' }];
  const storm = kinds.flatMap((kind) =>
    PAGES.flatMap((path) => [path, path]).map((path) =>
      visitor.send(path, { headers: { rsc: '1', ...kind } }),
    ),
  );
  for (const { status, cookieNames } of await Promise.all(storm)) {
    assert.ok(status < 400);
    assert.deepEqual(cookieNames, []);
  }
  assertOnceEach(await visitor.send('/'));
  assert.ok(!visitor.jar.get('session-at')?.startsWith(`${home}.`));
  assert.equal((await visitor.ask<Look>('/api/session')).version, 1);
});

test('pages that are asked for at once with an old ref show one session and set no cookie twice', async () => {
  const visitor = await arrive();
  const home = await killHome(visitor);
  const tabs = Array.from({ length: 16 }, () => visitor.clone());
  await waitUntil(
    async () => {
      const pages = await Promise.all(tabs.map((tab) => tab.send('/')));
      for (const page of pages) {
        assert.equal(page.status, 200);
        assert.ok(page.text.includes('Welcome, <!-- -->Ada') || page.text.includes('Welcome, Ada'));
        assertOnceEach(page);
        // Who it is does not change; only where the session is.
        assert.ok(!page.cookieNames.includes('session'));
      }
      return tabs.every((tab) => !tab.jar.get('session-at')?.startsWith(`${home}.`));
    },
    'all tabs are told of the new home',
    PATIENCE_MS,
  );
  assert.equal(new Set(tabs.map((tab) => tab.jar.get('session-at'))).size, 1);
});

test('cookies that exist twice give the one session that is real, and are set once', async () => {
  const visitor = await arrive();
  const good = visitor.jar.header();
  for (const cookie of [`session=old; session-at=9.9.x; ${good}`, `${good}; session=old; session-at=9.9.x`]) {
    const look = await visitor.clone().ask<Look>('/api/session', { headers: { cookie } });
    assert.equal(look.name, 'Ada');
    assertOnceEach(look.seen);
    const page = await visitor.clone().send('/', { headers: { cookie } });
    assert.match(page.text, /Welcome, (<!-- -->)?Ada/);
    assertOnceEach(page);
    const body = JSON.stringify({ item: 'tea' });
    const added = await visitor.clone().send('/api/cart', { method: 'POST', body, headers: { cookie } });
    assert.equal(added.status, 200);
    assertOnceEach(added);
  }
});

test('a stream’s cookie names what was saved before it; what it saves itself is stored, and said to be late', async () => {
  balancer.pinned = 0;
  const visitor = await arrive();
  const seen = await visitor.post('/api/stream');
  assert.deepEqual(seen.cookieNames, ['session-at']);
  assert.equal(visitor.jar.get('session-at')?.split('.')[1], '2');
  assert.match(seen.text, /In the stream: version 3 is stored, on 2 nodes/);
  const isSaid = (): boolean =>
    stack.instances[0]?.lastLines.some((line) => line.includes('after its answer had begun')) === true;
  await waitUntil(isSaid, 'the log says so', PATIENCE_MS);
  assert.equal((await visitor.ask<Look>('/api/session')).version, 3);
});

test('handlers, components, proxy.ts and the Pages Router of an instance share one memory', async () => {
  balancer.pinned = 0;
  const visitor = await arrive();
  await visitor.post('/api/cart', { item: 'tea' });
  await stack.bridge.kill();
  // Nobody can be asked: what the handler has saved is known to the others by their common memory alone.
  for (const path of ['/', '/members', '/places/pages-router']) {
    const { status, text } = await visitor.send(path);
    assert.equal(status, 200, path);
    assert.ok(text.includes('Ada'), path);
  }
  const look = await visitor.ask<Look>('/api/session');
  assert.deepEqual([look.name, look.cart], ['Ada', ['tea']]);
});

test('a component that writes is refused, with advice', async () => {
  const { text } = await (await arrive()).send('/places/server-component');
  assert.match(text, /change it in a server action or a route handler/);
  assert.doesNotMatch(text, /this should have been refused/);
});

test('a page of the Pages Router counts its visits on all instances, in an answer that nobody caches', async () => {
  const visitor = await arrive();
  for (const count of ['once', '2 times', '3 times', '4 times']) {
    const seen = await visitor.send('/places/pages-router');
    assert.match(seen.text.replaceAll('<!-- -->', ''), new RegExp(`looked at this page ${count}`));
    assert.deepEqual(seen.cookieNames, ['session-at']);
    assert.match(seen.headers.get('cache-control') ?? '', /no-store/);
  }
});

test('the members’ page is closed to strangers, also when they say that proxy.ts has run already', async () => {
  const stranger = new HttpVisitor(balancer.url);
  const claims = ['proxy', 'middleware', 'proxy:proxy:proxy:proxy:proxy', 'src/proxy'];
  for (const claim of [null, ...claims]) {
    const headers = claim === null ? {} : { 'x-middleware-subrequest': claim };
    for (const rsc of [{}, { rsc: '1' }]) {
      const { status, text } = await stranger.send('/members', { headers: { ...headers, ...rsc } });
      assert.ok(!text.includes('the zest of three lemons'), claim ?? 'no claim');
      assert.ok(status === 307 || status === 200);
    }
  }
  assert.ok((await (await arrive()).send('/members')).text.includes('the zest of three lemons'));
});

test('another site can change nothing, and nobody is shown how the parts are stopped', async () => {
  const visitor = await arrive();
  for (const path of ['/api/cart', '/api/count', '/api/logout', '/api/note/redirect', '/api/stack']) {
    const init = { method: 'POST', body: '{}', headers: { 'sec-fetch-site': 'cross-site' } };
    assert.equal((await visitor.send(path, init)).status, 403, path);
  }
  assert.equal((await visitor.ask<Look>('/api/session')).name, 'Ada');
  for (const path of ['/', '/api/stack', '/api/session']) {
    assert.ok(!(await visitor.send(path)).text.includes(stack.controlToken), path);
  }
});
