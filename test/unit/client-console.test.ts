/** What a developer who has set something wrong finds on the console. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  createSessionManager,
  type Fetch,
  type Session,
  type SessionManager,
  type SessionOptions,
} from '../../packages/client/src/index.ts';
import { BRIDGE_SECRET, BRIDGE_URL, SECRET, type Data } from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

/** An instance without `onEvent`. */
function start(fetch: Fetch, options: SessionOptions<Data> = {}): SessionManager<Data> {
  return createSessionManager<Data>({
    secret: SECRET,
    bridgeUrl: BRIDGE_URL,
    bridgeSecret: BRIDGE_SECRET,
    holder: {},
    fetch,
    ...options,
  });
}

function bridgeFetch(): Fetch {
  return new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } }).fetch;
}

/** What is said from now on. */
function listen(t: TestContext): string[] {
  const said: string[] = [];
  t.mock.method(console, 'warn', (text: string) => said.push(text));
  return said;
}

async function countView(manager: SessionManager<Data>, browser: TestBrowser): Promise<Session<Data>> {
  const headers = new Headers();
  const session = await manager.getSession(browser.request(), { headers });
  await session.update((data) => (data.views = (data.views ?? 0) + 1));
  browser.take(headers);
  return session;
}

test('a wrong bridge secret is said once, though the saves ride in the cookie', async (t) => {
  const said = listen(t);
  const manager = start(bridgeFetch(), { bridgeSecret: 'another-secret-for-tests-only-0123456789' });
  const browser = new TestBrowser();
  assert.equal((await countView(manager, browser)).meta.source, 'cookie');
  await countView(manager, browser);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /BRIDGE_SECRET/);
});

test('a bridge that is not there is said once, with what the platform calls it', async (t) => {
  const said = listen(t);
  // As Node.js fails.
  const cause = Object.assign(new Error('no connection'), { code: 'ECONNREFUSED' });
  const manager = start(() => Promise.reject(new TypeError('fetch failed', { cause })));
  const browser = new TestBrowser();
  const { meta } = await countView(manager, browser);
  await countView(manager, browser);
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /BRIDGE_URL/);
  assert.match(said[0] ?? '', /ECONNREFUSED/);
  for (const secret of [meta.ref?.slice(0, 32), browser.who?.slice(0, 60), BRIDGE_SECRET, SECRET]) {
    assert.ok(secret !== undefined && !said.join().includes(secret));
  }
});

test('an instance that has another session secret says so when it is sent a cookie of the others', async (t) => {
  const said = listen(t);
  const fetch = bridgeFetch();
  const browser = new TestBrowser();
  await countView(start(fetch), browser);
  assert.deepEqual(said, []);
  const other = start(fetch, { secret: 'another-session-secret-for-tests-only-0123456789' });
  await countView(other, browser.clone());
  await countView(other, browser.clone());
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /SESSION_SECRET/);
});

test('where somebody listens to events the console is not told', async (t) => {
  const said = listen(t);
  const net = new FaultyFetch(bridgeFetch());
  net.set('refuse');
  let events = 0;
  await countView(start(net.fetch, { onEvent: () => (events += 1) }), new TestBrowser());
  assert.ok(events > 0);
  assert.deepEqual(said, []);
});
