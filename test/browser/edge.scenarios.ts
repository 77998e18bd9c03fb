/** What middleware.ts on the edge, and everything behind it, must do on every version of Next.js that is supported. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { launchChromium } from '../support/chromium.ts';
import { HttpVisitor } from '../support/http-visitor.ts';
import { explain, heal, type Site } from '../support/site.ts';
import { waitUntil } from '../support/wait.ts';

/** What `GET /api/session` shows. */
interface Look {
  readonly name: string | null;
  readonly steps: readonly string[];
  readonly count: number;
  readonly home: number;
  readonly version: number;
  /** The second cookie, as the handler finds it in three places. */
  readonly hints: Readonly<Record<'store' | 'request' | 'header', string | null>>;
}

const BOTH = ['session', 'session-at'];
const PATIENCE_MS = 30_000;

/** In a page, what stands in the element of this id. */
function textOf(page: string, id: string): string | undefined {
  return new RegExp(`id="${id}"[^>]*>([^<]*)<`).exec(page)?.[1];
}

/** Runs against the app of fixtures/edge, however it was built. */
export function testEdge(site: Site): void {
  const { stack, balancer } = site;
  afterEach((t) => {
    explain(site, t);
    return heal(site);
  });

  /** How often a handler has told that it is in the middle of its work. */
  function countPauses(): number {
    const lines = stack.instances.flatMap(({ lastLines }) => lastLines);
    return lines.filter((line) => line.includes('A handler pauses.')).length;
  }

  /** A visitor who has a session. */
  async function arrive(): Promise<HttpVisitor> {
    const visitor = new HttpVisitor(balancer.url);
    const { status, cookieNames } = await visitor.post('/api/twice');
    assert.equal(status, 200);
    assert.deepEqual(cookieNames.toSorted(), BOTH);
    return visitor;
  }

  test('middleware.ts on the edge guards a page, and so does the page itself', async () => {
    const browser = await launchChromium();
    after(() => browser.close());
    const page = await browser.newPage();
    await page.goto(`${site.url}/guarded`);
    await page.waitForURL('**/?who');
    await page.getByLabel('Name').fill('Ada');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'For Ada only' }).waitFor({ timeout: PATIENCE_MS });
    assert.equal(new URL(page.url()).pathname, '/guarded');
    for (const pinned of [0, 1]) {
      balancer.pinned = pinned;
      await page.goto(`${site.url}/`);
      await page.getByRole('heading', { name: 'Hello, Ada' }).waitFor();
      assert.equal(await page.title(), 'Fixture of Ada');
    }
  });

  test('what middleware.ts saves and renews is seen by the page and the handler of the same request', async () => {
    const visitor = await arrive();
    const counted = await visitor.ask<Look>('/api/session?count-in-middleware');
    assert.equal(counted.count, 1);
    const { seen, hints } = counted;
    assert.deepEqual(new Set(seen.cookieNames).size, seen.cookieNames.length);
    assert.deepEqual(new Set(Object.values(hints)), new Set([visitor.jar.get('session-at')]));
    assert.equal(seen.headers.get('cache-control'), 'private, no-store');
    const page = await visitor.send('/?count-in-middleware');
    assert.equal(textOf(page.text, 'count'), '2');
    assert.equal(textOf(page.text, 'hint'), visitor.jar.get('session-at'));
    assert.equal(textOf(page.text, 'objects'), 'one');
  });

  test('when the home dies, middleware.ts gives the new one to the browser and to the page at once', async () => {
    const visitor = await arrive();
    const before = await visitor.ask<Look>('/api/session');
    await stack.nodes[before.home]?.kill();
    await waitUntil(
      async () => {
        const { status, text, cookieNames } = await visitor.send('/');
        assert.equal(status, 200);
        if (cookieNames.length === 0) return false;
        assert.deepEqual(cookieNames, ['session-at']);
        assert.equal(textOf(text, 'hint'), visitor.jar.get('session-at'));
        return true;
      },
      'the cookie is renewed',
      PATIENCE_MS,
    );
    // An instance may remember the old home for as long as it believes its memory.
    const after = await visitor.ask<Look>('/api/session?fresh');
    assert.notEqual(after.home, before.home);
    assert.equal(String(after.home), visitor.jar.get('session-at')?.split('.')[0]);
    assert.deepEqual(after.steps, before.steps);
  });

  test('handlers on the edge, of the App Router and of the Pages Router have one session', async () => {
    const visitor = await arrive();
    for (const path of ['/api/edge', '/api/old', '/api/edge', '/api/leave']) {
      const { status, cookieNames } = await visitor.post(path);
      assert.equal(status, path === '/api/leave' ? 307 : 200, path);
      // One save changes only where the session is and how new.
      assert.deepEqual(cookieNames, ['session-at'], path);
    }
    const { steps, version } = await visitor.ask<Look>('/api/session');
    assert.deepEqual(steps, ['first', 'second', 'edge', 'pages', 'edge', 'left']);
    assert.equal(version, 6);
  });

  test('redirect() and notFound() pass through a wrapped handler; only the redirect saves', async () => {
    const visitor = await arrive();
    const left = await visitor.post('/api/leave');
    assert.equal(left.status, 307);
    assert.equal(left.headers.get('location'), '/');
    const missing = await visitor.post('/api/missing');
    assert.equal(missing.status, 404);
    assert.deepEqual(missing.cookieNames, []);
    assert.deepEqual((await visitor.ask<Look>('/api/session')).steps, ['first', 'second', 'left']);
  });

  test('a client that hangs up in the middle of a handler loses nothing of what the handler does', async () => {
    for (const path of ['/api/slow', '/api/later']) {
      const visitor = await arrive();
      const hangUp = new AbortController();
      const before = countPauses();
      const sent = visitor.send(path, { method: 'POST', signal: hangUp.signal });
      const hungUp = assert.rejects(sent, { name: 'AbortError' });
      await waitUntil(() => countPauses() > before, 'the handler is at work', PATIENCE_MS);
      hangUp.abort();
      await hungUp;
      await waitUntil(
        async () => (await visitor.ask<Look>('/api/session?fresh')).steps.includes('after'),
        `${path} has saved`,
        PATIENCE_MS,
      );
      const { steps, version } = await visitor.ask<Look>('/api/session?fresh');
      assert.deepEqual(steps, ['first', 'second', 'before', 'after'], path);
      assert.equal(version, 3, path);
    }
  });

  test('a write that is handed over is finished after the answer, which names the version before it', async () => {
    const visitor = await arrive();
    const answer = await visitor.post('/api/later');
    assert.equal(answer.status, 200);
    await waitUntil(
      async () => (await visitor.ask<Look>('/api/session?fresh')).version === 3,
      'the write has arrived',
      PATIENCE_MS,
    );
  });
}
