/** All nodes have lost their memory, and instances bring back what they hold, each another version. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionUnavailableError, type SessionOptions } from '../../packages/client/src/index.ts';
import {
  change,
  createInstance,
  look,
  TestClock,
  visit,
  type Data,
  type Instance,
} from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

interface Loss {
  readonly bridge: MemoryBridge;
  readonly clock: TestClock;
  /** Holds version 1, or what it has made of it. */
  readonly older: Instance;
  /** Holds version 4. */
  readonly newer: Instance;
  /** Has seen version 4. */
  readonly browser: TestBrowser;
  /** The same browser's request from before it had. */
  readonly tab: TestBrowser;
  readonly start: (options?: SessionOptions<Data>) => Instance;
  /** What happens before each write of the instance that holds version 4. */
  readonly meanwhile: { beforeWrite: () => Promise<void> };
}

/** A session of four saves that no node knows any more. */
async function loseAll({ maxStale = 0 } = {}): Promise<Loss> {
  const clock = new TestClock();
  const bridge = new MemoryBridge({ secrets: {}, isOpen: true, now: () => clock.now() });
  const start = (options: SessionOptions<Data> = {}): Instance =>
    createInstance(bridge.fetch, { clock, maxStale: 0, ...options });
  const meanwhile = { beforeWrite: async (): Promise<void> => undefined };
  const older = start();
  const newer = createInstance(
    async (url, init) => {
      if (init.method === 'PUT') await meanwhile.beforeWrite();
      return bridge.fetch(url, init);
    },
    { clock, maxStale },
  );
  const browser = new TestBrowser();
  await change(older, browser, (session) => Object.assign(session, { views: 1, userId: '42' }));
  const tab = browser.clone();
  await change(newer, browser, (session) => (session.views = 2));
  await change(newer, browser, (session) => (session['note'] = 'theirs'));
  await change(newer, browser, (session) => (session.views = 4));
  bridge.wipe();
  return { bridge, clock, older, newer, browser, tab, start, meanwhile };
}

function isOutage(error: unknown): boolean {
  return error instanceof SessionUnavailableError && error.code === 'nodes_unavailable';
}

test('while the version that a browser has seen may still be brought back, nobody says that there is no session', async () => {
  const { older, newer, browser, tab, start } = await loseAll();
  assert.deepEqual(await look(older, tab), { views: 1, userId: '42' });
  const before = new Map(browser.cookies);
  for (const instance of [older, start()]) {
    await assert.rejects(look(instance, browser), isOutage);
    assert.deepEqual(instance.told('rejected'), [
      { type: 'rejected', what: 'record', reason: 'below_floor' },
    ]);
  }
  assert.deepEqual(browser.cookies, before);
  assert.deepEqual(await look(newer, browser), { views: 4, userId: '42', note: 'theirs' });
  for (const instance of [older, start()]) assert.equal((await look(instance, browser)).views, 4);
});

test('where nobody brings it back within half a minute, the session is lost, and nobody is kept out', async () => {
  const { clock, older, browser, tab, start } = await loseAll();
  await look(older, tab);
  // Times of saves are whole seconds, and this clock goes on by itself.
  clock.advance(28);
  await assert.rejects(look(start(), browser), isOutage);
  clock.advance(4);
  for (const instance of [older, start()]) assert.deepEqual(await look(instance, browser), {});
  await change(older, browser, (session) => (session.userId = 'again'));
  assert.deepEqual(await look(start(), browser), { userId: 'again' });
});

test('an instance whose clock is wrong keeps nobody out for longer', async () => {
  const { bridge, older, browser, tab } = await loseAll();
  await look(older, tab);
  for (const seconds of [-600, 600]) {
    const clock = new TestClock();
    clock.advance(seconds);
    assert.deepEqual(await look(createInstance(bridge.fetch, { clock }), browser), {});
  }
});

test('a request that uses the session meanwhile keeps its data, and moves none to a new id', async () => {
  const { bridge, older, newer, browser, tab, start } = await loseAll();
  await look(newer, browser);
  // Room for one session: it is the request alone that holds this one, once somebody else has been here.
  const reader = start({ cache: { maxEntries: 1 } });
  await visit(reader, browser, async (session) => {
    bridge.wipe();
    await look(older, tab);
    await change(reader, new TestBrowser(), (other) => (other.userId = 'other'));
    await assert.rejects(session.reload(), isOutage);
    await assert.rejects(session.regenerate(), isOutage);
    assert.equal(session.views, 4);
  });
  assert.equal(bridge.items.size, 2);
});

test('what was saved on top of the older version is kept when the newer one is brought back', async () => {
  const { older, newer, browser, tab, start } = await loseAll();
  await change(older, tab, (session) => (session.cart = ['apple']));
  assert.deepEqual(await look(newer, browser), { views: 4, userId: '42', note: 'theirs', cart: ['apple'] });
  assert.deepEqual(newer.told('restore'), [{ type: 'restore', version: 5, reason: 'older' }]);
  assert.deepEqual(await look(start(), browser), { views: 4, userId: '42', note: 'theirs', cart: ['apple'] });
});

test('what was saved on top of it is kept too when a save brings the newer one back, whose own changes stand', async () => {
  const { older, newer, browser, tab, start } = await loseAll({ maxStale: 3600 });
  await change(older, tab, (session) => Object.assign(session, { cart: ['apple'], userId: '43' }));
  await change(newer, browser, (session) => (session.userId = '44'));
  const whole = { views: 4, userId: '44', note: 'theirs', cart: ['apple'] };
  assert.deepEqual(await look(start(), browser), whole);
  assert.deepEqual(newer.told('restore'), [{ type: 'restore', version: 5, reason: 'older' }]);
  assert.deepEqual(newer.told('conflict'), [{ type: 'conflict', version: 3, round: 1, keys: ['userId'] }]);
});

test('of what is saved on top of it while a save brings the newer one back, the last is kept', async () => {
  const { bridge, older, newer, browser, tab, start, meanwhile } = await loseAll({ maxStale: 3600 });
  for (const views of [5, 6, 7]) await change(newer, browser, (session) => (session.views = views));
  bridge.wipe();
  await change(older, tab, (session) => (session.cart = ['apple']));
  let writes = 0;
  meanwhile.beforeWrite = async () => {
    writes += 1;
    if (writes === 2) await change(older, tab, (session) => (session.cart = ['pear']));
  };
  await change(newer, browser, (session) => (session.userId = '44'));
  assert.equal(writes, 3);
  assert.deepEqual((await look(start(), browser)).cart, ['pear']);
});

test('what is lost when the older version has been saved more often is told by who held it', async () => {
  const { older, newer, browser, tab } = await loseAll();
  for (const fruit of ['a', 'b', 'c', 'd']) {
    await change(older, tab, (session) => (session.cart = [fruit]));
  }
  assert.deepEqual(await look(newer, browser), { views: 1, userId: '42', cart: ['d'] });
  const keys = ['views', 'note'];
  assert.deepEqual(newer.told('conflict'), [{ type: 'conflict', version: 6, round: 0, keys }]);
});

for (const [how, maxStale] of [
  ['a read', 0],
  ['a save', 3600],
] as const) {
  test(`a field that both have changed under one number stays as ${how} brings it back, and that is told`, async () => {
    const { older, newer, browser, tab } = await loseAll({ maxStale });
    await change(older, tab, (session) => (session['note'] = 'ours'));
    await change(newer, browser, (session) => (session.cart = ['apple']));
    assert.equal((await look(newer, browser))['note'], 'theirs');
    const [told, ...more] = newer.told('conflict');
    assert.deepEqual(told?.type === 'conflict' && told.keys, ['note']);
    assert.deepEqual(more, []);
  });
}

test('versions that have reached the same number are one as soon as either is saved, and the other one’s holder tells', async () => {
  const { older, newer, browser, tab } = await loseAll();
  await change(older, tab, (session) => (session.cart = ['apple']));
  await change(older, tab, (session) => (session.cart = ['apple', 'pear']));
  // Both are version 4, and both are shown.
  assert.equal((await look(newer, browser)).views, 4);
  assert.deepEqual((await look(older, browser)).cart, ['apple', 'pear']);
  await change(newer, browser, (session) => (session.views = 5));
  assert.equal((await look(older, browser)).cart, undefined);
  assert.deepEqual(older.told('conflict'), [{ type: 'conflict', version: 5, round: 0, keys: ['cart'] }]);
});

test('data in a cookie comes home as a whole to an instance that holds the version before its ground', async () => {
  const bridge = new MemoryBridge({ secrets: {}, isOpen: true });
  const start = (): Instance => createInstance(bridge.fetch, { maxStale: 0 });
  const [older, newer, browser] = [start(), start(), new TestBrowser()];
  await change(older, browser, (session) => (session.views = 1));
  await change(newer, browser, (session) => (session.userId = '42'));
  // In the outage that costs all nodes their memory.
  bridge.wipe();
  for (const node of [0, 1, 2]) bridge.down.add(node);
  await change(newer, browser, (session) => (session.cart = ['apple']));
  bridge.down.clear();
  // Brought back, version 1 would be version 2, which the cookie seems to be based on.
  assert.deepEqual(await look(older, browser), { views: 1, userId: '42', cart: ['apple'] });
  assert.deepEqual(await look(start(), browser), { views: 1, userId: '42', cart: ['apple'] });
});
