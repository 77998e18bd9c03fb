import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionCache, type Held } from '../../packages/client/src/cache.ts';
import { readCookieHeader } from '../../packages/client/src/cookies.ts';
import { type SessionOptions, type SessionRecord } from '../../packages/client/src/index.ts';
import { SealMemory } from '../../packages/client/src/seal.ts';
import { SteadyClock } from '../../packages/client/src/steady-clock.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  look,
  TestClock,
  visit,
  type Data,
  type Instance,
} from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { heapBytes } from '../support/heap.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

interface SetUp {
  readonly bridge: MemoryBridge;
  readonly net: FaultyFetch;
  readonly clock: TestClock;
  readonly browser: TestBrowser;
  readonly start: (options?: SessionOptions<Data>) => Instance;
}

function setUp(): SetUp {
  const clock = new TestClock();
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] }, now: () => clock.now() });
  const net = new FaultyFetch(bridge.fetch);
  const start: SetUp['start'] = (options) => createInstance(net.fetch, { clock, ...options });
  return { bridge, net, clock, browser: new TestBrowser(), start };
}

function held(id: string, version: number, data = '{}'): Held {
  const record: SessionRecord = {
    id,
    version,
    savedAt: 0,
    startedAt: 0,
    nonce: '',
    log: [],
    changed: null,
    cut: 0,
    codec: 'json',
    data,
  };
  return { record, index: 0, copies: null, confirmedAt: 0, touchedAt: 0 };
}

test('the cache is bounded by count and by bytes, and keeps what is used', () => {
  const cache = new SessionCache({ maxBytes: 1_000_000, maxEntries: 100 });
  cache.put(held('hot', 1));
  for (let n = 0; n < 1000; n += 1) {
    cache.put(held(`id${n}`, 1));
    assert.ok(cache.get('hot'));
  }
  assert.equal(cache.get('id0'), null);
  const small = new SessionCache({ maxBytes: 10_000, maxEntries: 100 });
  for (let n = 0; n < 10; n += 1) small.put(held(`id${n}`, 1, `{"text":"${'x'.repeat(1500)}"}`));
  assert.equal(small.get('id0'), null);
  assert.ok(small.get('id9'));
});

test('a session larger than the whole cache is not held, and nothing else is lost', () => {
  const cache = new SessionCache({ maxBytes: 10_000, maxEntries: 100 });
  cache.put(held('small', 1));
  cache.put(held('large', 1, `{"text":"${'x'.repeat(20_000)}"}`));
  assert.equal(cache.get('large'), null);
  assert.ok(cache.get('small'));
});

test('the cache never exchanges a newer version for an older one', () => {
  const cache = new SessionCache({ maxBytes: 1_000_000, maxEntries: 100 });
  cache.put(held('id', 5));
  assert.equal(cache.put(held('id', 4)).record.version, 5);
  assert.equal(cache.put(held('id', 6)).record.version, 6);
});

test('an answer from before a logout does not bring the session back into the cache', () => {
  const cache = new SessionCache({ maxBytes: 1_000_000, maxEntries: 100 });
  cache.put(held('id', 1));
  cache.markGone('id');
  cache.put(held('id', 2));
  assert.equal(cache.get('id'), null);
  assert.equal(cache.isGone('id'), true);
});

test('a write that has died with its visit holds up no later one, and is forgotten', async () => {
  const cache = new SessionCache({ maxBytes: 1_000_000, maxEntries: 10 });
  const dead = new Promise(() => undefined);
  cache.trackWrite('A', dead, { now: 0, forMs: 100 });
  assert.notEqual(cache.writing('A', 99), null);
  assert.equal(cache.writing('A', 100), null);
  cache.trackWrite('A', Promise.resolve(), { now: 100, forMs: 100 });
  await cache.writing('A', 101);
  assert.equal(cache.writing('A', 102), null);
  let settle = (): void => undefined;
  const first = new Promise<void>((resolve) => (settle = resolve));
  cache.trackWrite('A', first, { now: 200, forMs: 100 });
  cache.trackWrite('A', Promise.resolve(), { now: 250, forMs: 100 });
  let isSettled = false;
  const both = cache.writing('A', 260)?.then(() => (isSettled = true));
  await new Promise(setImmediate);
  assert.equal(isSettled, false);
  settle();
  await both;
});

test('remembered seals are bounded and forgotten in time', () => {
  const seals = new SealMemory();
  const identity = (seal: string) => ({ id: 'id', seal, sealedAt: 0, isCurrent: true });
  for (let n = 0; n < 20_000; n += 1) seals.put(identity(`seal${n}`), 0);
  assert.equal(seals.get('seal0', 0), null);
  assert.equal(seals.get('seal19999', 0)?.id, 'id');
  assert.equal(seals.get('seal19999', 600_000), null);
});

test('a remembered seal keeps nothing of the Cookie header that it came in', () => {
  const seals = new SealMemory();
  const before = heapBytes();
  for (let n = 0; n < 500; n += 1) {
    // As Node.js gives it: one text for each request.
    const header = Buffer.from(`__Host-session=${`${n}`.padStart(300, '0')}; other=${'x'.repeat(16_000)}`);
    const [seal = ''] = readCookieHeader(header.toString('latin1'), '__Host-session');
    seals.put({ id: `${n}`, seal, sealedAt: 0, isCurrent: true }, 0);
  }
  const each = (heapBytes() - before) / 500;
  assert.ok(each < 4_000, `${each} bytes for each seal`);
  assert.equal(seals.get('499'.padStart(300, '0'), 0)?.id, '499');
});

test('parallel reads of one session share one request', async () => {
  const { net, browser, start } = setUp();
  await change(start(), browser, (session) => (session.userId = '42'));
  const instance = start();
  await change(instance, new TestBrowser(), (session) => (session.views = 1));
  const before = net.count;
  const sessions = await Promise.all(
    Array.from({ length: 50 }, () => instance.manager.getSession(browser.request())),
  );
  assert.ok(sessions.every(({ userId }) => userId === '42'));
  assert.equal(net.count, before + 1);
  assert.equal(new Set(sessions).size, 50);
});

test('a save of a cached session is one write and nothing else; of another one, a read comes before it', async () => {
  const { bridge, browser, start } = setUp();
  const save = async (instance: Instance): Promise<string[]> => {
    const before = bridge.operations.length;
    await change(instance, browser, (session) => (session.views = (session.views ?? 0) + 1));
    return bridge.operations.slice(before).map(({ method }) => method);
  };
  const instance = start();
  assert.deepEqual(await save(instance), ['PUT']);
  assert.deepEqual(await save(instance), ['PUT']);
  assert.deepEqual(await save(start()), ['GET', 'PUT']);
});

test('a fresh read never joins a read that has already left', async () => {
  const { bridge, net, clock, browser, start } = setUp();
  const other = createInstance(bridge.fetch, { clock });
  await change(other, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  const reader = start();
  net.hold();
  const early = reader.manager.getSession(tab.request(), { fresh: true });
  let isEarlyDone = false;
  void early.then(() => (isEarlyDone = true));
  while (net.heldCount === 0) await new Promise((resolve) => setImmediate(resolve));
  // The early read has been answered on the bridge; its answer is still on the way.
  await change(other, browser, (session) => (session.views = 2));
  net.letNewPass();
  const late = await reader.manager.getSession(tab.request(), { fresh: true });
  assert.equal(late.views, 2);
  assert.equal(isEarlyDone, false);
  net.release();
  await early;
  assert.deepEqual(await look(reader, browser), { views: 2 });
});

test('a session that was absent a moment ago is found once another instance has restored it', async () => {
  const { bridge, browser, start } = setUp();
  const holder = start();
  await change(holder, browser, (session) => (session.userId = '42'));
  const tab = browser.clone();
  bridge.wipe();
  const other = start();
  assert.deepEqual(await look(other, tab), {});
  await holder.manager.getSession(browser.request(), { fresh: true });
  assert.equal(holder.told('restore').length, 1);
  assert.deepEqual(await look(other, tab), { userId: '42' });
});

test('who waits for the answer to an earlier read asks again when that found nothing', async () => {
  const { bridge, net, clock, browser, start } = setUp();
  const holder = createInstance(bridge.fetch, { clock });
  await change(holder, browser, (session) => (session.userId = '42'));
  const tab = browser.clone();
  bridge.wipe();
  const other = start();
  net.hold();
  const early = other.manager.getSession(tab.request());
  while (net.heldCount === 0) await new Promise((resolve) => setImmediate(resolve));
  // The bridge has said that there is none; now there is one again.
  await holder.manager.getSession(browser.request(), { fresh: true });
  net.letNewPass();
  const late = Promise.all([tab, tab].map((each) => other.manager.getSession(each.request())));
  const before = net.count;
  net.release();
  assert.equal((await early).meta.isNew, true);
  assert.deepEqual(
    (await late).map(({ userId }) => userId),
    ['42', '42'],
  );
  assert.equal(net.count, before + 1, 'both ask once');
});

test('maxStale 0 confirms every request, by a read that transfers nothing when nothing changed', async () => {
  const { bridge, browser, start } = setUp();
  const instance = start({ maxStale: 0 });
  await change(instance, browser, (session) => (session.userId = '42'));
  bridge.operations.length = 0;
  await look(instance, browser);
  await look(instance, browser);
  assert.deepEqual(
    bridge.operations.map(({ method, ifNoneMatch, minVersion }) => ({ method, ifNoneMatch, minVersion })),
    [
      { method: 'GET', ifNoneMatch: 1, minVersion: 1 },
      { method: 'GET', ifNoneMatch: 1, minVersion: 1 },
    ],
  );
});

test('a logout elsewhere is seen within maxStale, and at once by a fresh read', async () => {
  const { clock, browser, start } = setUp();
  const [one, other] = [start({ maxStale: 5 }), start()];
  await change(one, browser, (session) => (session.userId = '42'));
  const thief = browser.clone();
  await visit(other, browser, (session) => session.destroy());
  assert.deepEqual(await look(one, thief), { userId: '42' });
  const fresh = await one.manager.getSession(thief.request(), { fresh: true });
  assert.equal(fresh.userId, undefined);
  const third = start();
  await look(third, thief);
  clock.advance(5);
  assert.deepEqual(await look(one, thief), {});
});

test('a logout between a save and its answer is seen within maxStale', async () => {
  const { net, clock, browser, start } = setUp();
  const [one, other] = [start(), start()];
  await change(one, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  net.hold();
  const saving = change(one, browser, (session) => (session.views = 2));
  await waitUntil(() => net.heldCount === 1, 'the save is stored');
  const ending = visit(other, tab.clone(), (session) => session.destroy());
  await waitUntil(() => net.heldCount === 2, 'the other instance has read');
  clock.advance(3);
  net.release();
  await Promise.all([saving, ending]);
  clock.advance(3);
  assert.deepEqual(await look(one, tab), {});
});

test('an instance whose clock is set back does not believe what it holds for longer', async () => {
  const { clock, browser, start } = setUp();
  const skewed = new TestClock();
  const [one, other] = [start({ clock: skewed }), start({ clock })];
  await change(one, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  await change(other, browser, (session) => (session.views = 2));
  skewed.advance(-600);
  assert.deepEqual(await look(one, tab), { views: 1 });
  skewed.advance(6);
  assert.deepEqual(await look(one, tab), { views: 2 });
});

test('a steady clock follows its clock, and never back', () => {
  const clock = { at: 1_000, now: () => clock.at, after: () => () => undefined };
  const steady = new SteadyClock(clock);
  const start = steady.now();
  clock.at = 400;
  assert.equal(steady.now() - start, 0);
  clock.at = 450;
  assert.equal(steady.now() - start, 50);
  clock.at = 2_000;
  assert.equal(steady.now() - start, 1_600);
});

test('a steady clock runs no faster for who looks often, whatever parts of a millisecond its clocks show', () => {
  let micros = 0;
  const steady = new SteadyClock({
    now: () => 1_000_000 + Math.floor(micros / 1000),
    elapsed: () => micros / 1000,
    after: () => () => undefined,
  });
  const start = steady.now();
  for (; micros < 1_000_000; micros += 70) steady.now();
  assert.ok(Math.abs(steady.now() - start - 1_000) < 2);
});

test('a steady clock counts suspensions that its elapsed time leaves out, also the short ones', () => {
  let elapsed = 0;
  let suspended = 0;
  const steady = new SteadyClock({
    now: () => elapsed + suspended,
    elapsed: () => elapsed,
    after: () => () => undefined,
  });
  const start = steady.now();
  for (let i = 0; i < 100; i += 1) {
    elapsed += 1;
    suspended += 30;
    steady.now();
  }
  assert.ok(3_100 - (steady.now() - start) <= 100);
});

test('a steady clock counts the time that passes while its clock is set back', () => {
  const clock = {
    at: 1_000,
    up: 5,
    now: () => clock.at,
    elapsed: () => clock.up,
    after: () => () => undefined,
  };
  const steady = new SteadyClock(clock);
  const start = steady.now();
  clock.at = -300_000;
  clock.up = 3_005;
  assert.equal(steady.now() - start, 3_000);
  clock.at += 1_000;
  clock.up += 400;
  assert.equal(steady.now() - start, 4_000);
});

test('a session that one instance has just missed is asked for again by a browser that has seen it since', async () => {
  const { bridge, browser, start } = setUp();
  const [one, other] = [start(), start()];
  await change(other, browser, (session) => (session.views = 1));
  bridge.wipe();
  assert.deepEqual(await look(one, browser), {});
  await change(other, browser, (session) => (session.views = 2));
  assert.deepEqual(await look(one, browser), { views: 2 });
});

test('use renews the idle lifetime, at most once in touchAfter', async () => {
  const { bridge, clock, browser, start } = setUp();
  const instance = start({ ttl: 1000, maxStale: 5 });
  await change(instance, browser, (session) => (session.userId = '42'));
  bridge.operations.length = 0;
  for (let minute = 0; minute < 60; minute += 1) {
    clock.advance(45);
    assert.deepEqual(await look(instance, browser), { userId: '42' });
  }
  const touching = bridge.operations.filter(({ ttl }) => ttl === 1000).length;
  assert.ok(touching >= 20 && touching <= 40, `${touching} of ${bridge.operations.length}`);
  clock.advance(1001);
  assert.deepEqual(await look(instance, browser), {});
});

test('what is served from memory is touched in the background, or with the next request', async () => {
  const { bridge, clock, browser, start } = setUp();
  const instance = start({ ttl: 1000, maxStale: Infinity });
  await change(instance, browser, (session) => (session.userId = '42'));
  bridge.operations.length = 0;
  clock.advance(150);
  await look(instance, browser);
  await look(instance, browser);
  assert.equal(bridge.operations.length, 0);
  await change(instance, new TestBrowser(), (session) => (session.views = 1));
  // They leave together, but nobody waits for the touch.
  await waitUntil(() => bridge.operations.length === 2, 'both have come');
  assert.deepEqual(bridge.operations.map(({ method }) => method).toSorted(), ['PUT', 'TOUCH']);
  clock.advance(150);
  const background: Promise<unknown>[] = [];
  await instance.manager.getSession(browser.request(), { waitUntil: (work) => background.push(work) });
  await instance.manager.getSession(browser.request(), { waitUntil: (work) => background.push(work) });
  assert.equal(background.length, 1);
  await background[0];
  assert.equal(bridge.operations.at(-1)?.method, 'TOUCH');
  assert.equal(bridge.operations.length, 3);
  // One that is refused for good fails where the platform looks, and nowhere else.
  clock.advance(150);
  const refused: Promise<unknown>[] = [];
  const answer = { error: { code: 'invalid_request', message: 'No.' } };
  const strict = createInstance(
    async (url, init) =>
      url.endsWith('/touch') ? Response.json(answer, { status: 400 }) : bridge.fetch(url, init),
    { ttl: 1000, maxStale: Infinity, clock },
  );
  await look(strict, browser);
  clock.advance(150);
  await strict.manager.getSession(browser.request(), { waitUntil: (work) => refused.push(work) });
  assert.equal(refused.length, 1);
  await assert.rejects(Promise.all(refused), { code: 'invalid_request' });
  // A platform that takes no work is no reason not to read.
  clock.advance(150);
  const refusing = (): never => {
    throw new TypeError('Illegal invocation');
  };
  const session = await instance.manager.getSession(browser.request(), { waitUntil: refusing });
  assert.equal(session.userId, '42');
});

test('an instance that trusts itself asks before the nodes can have forgotten', async () => {
  const { clock, browser, start } = setUp();
  const instance = start({ ttl: 1000, maxStale: Infinity });
  await change(instance, browser, (session) => (session.userId = '42'));
  for (let n = 0; n < 10; n += 1) {
    clock.advance(600);
    assert.deepEqual(await look(instance, browser), { userId: '42' });
  }
  assert.deepEqual(await look(start(), browser), { userId: '42' });
});

test('no use prolongs a session beyond its absolute lifetime', async () => {
  const { clock, browser, start } = setUp();
  const instance = start({ ttl: 1000, absoluteTtl: 3000, maxStale: Infinity });
  await change(instance, browser, (session) => (session.views = 0));
  for (let n = 1; n <= 7; n += 1) {
    clock.advance(400);
    await change(instance, browser, (session) => (session.views = n));
  }
  assert.deepEqual(await look(instance, browser), { views: 7 });
  const copy = browser.clone();
  clock.advance(202);
  for (const reader of [instance, start({ ttl: 1000, absoluteTtl: 3000 })]) {
    assert.deepEqual(await look(reader, copy), {});
  }
});

test('a session whose idle time is over is not brought back from memory', async () => {
  const { bridge, clock, browser, start } = setUp();
  const instance = start({ ttl: 1000, maxStale: Infinity });
  await change(instance, browser, (session) => (session.userId = '42'));
  clock.advance(1001);
  assert.deepEqual(await look(instance, browser), {});
  assert.equal(instance.told('restore').length, 0);
  assert.equal(bridge.operations.filter(({ method }) => method === 'PUT').length, 1);
});

test('a session that another instance saved meanwhile is not rolled back by a restore', async () => {
  const { bridge, browser, start } = setUp();
  const [one, other] = [start({ maxStale: 0 }), start({ maxStale: 0 })];
  await change(one, browser, (session) => (session.views = 1));
  await change(other, browser, (session) => (session.views = 2));
  await change(other, browser, (session) => (session.views = 3));
  const tab = browser.clone();
  tab.cookies.set('__Host-session-at', `0.1.${browser.who?.slice(-8)}`);
  bridge.wipe();
  // Both find that everything is lost; the one with the older version comes first.
  assert.deepEqual(await look(one, tab), { views: 1 });
  assert.deepEqual(await look(other, browser), { views: 3 });
  assert.deepEqual(await look(start(), browser), { views: 3 });
});

test('two instances that restore at once leave the newer version', async () => {
  const { bridge, net, clock, browser, start } = setUp();
  const older = createInstance(bridge.fetch, { clock, maxStale: 0 });
  const newer = start({ maxStale: 0 });
  await change(older, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  for (const views of [2, 3, 4]) await change(newer, browser, (session) => (session.views = views));
  bridge.wipe();
  net.script((pass) => pass());
  // Between the newer one's 404 and its write, the older one comes first.
  net.script(async (pass) => {
    assert.deepEqual(await look(older, tab), { views: 1 });
    return pass();
  });
  assert.deepEqual(await look(newer, browser), { views: 4 });
  assert.deepEqual(newer.told('restore'), [{ type: 'restore', version: 5, reason: 'older' }]);
  assert.deepEqual(await look(start(), browser), { views: 4 });
});

test('a version below the browser’s floor is not restored', async () => {
  const { bridge, browser, start } = setUp();
  const [one, other] = [start(), start()];
  await change(one, browser, (session) => (session.views = 1));
  await change(other, browser, (session) => (session.views = 2));
  bridge.wipe();
  assert.deepEqual(await look(one, browser), {});
  assert.equal(bridge.items.size, 0);
});

test('a write lives no longer than the session may', async () => {
  const { bridge, clock, browser, start } = setUp();
  const instance = start({ ttl: 1000, absoluteTtl: 1500 });
  await change(instance, browser, (session) => (session.views = 1));
  clock.advance(900);
  await change(instance, browser, (session) => (session.views = 2));
  const [first, second] = bridge.operations.filter(({ method }) => method === 'PUT');
  assert.equal(first?.ttl, 1000);
  assert.ok(second?.ttl === 600 || second?.ttl === 599);
});

test('while data is carried, a request finds out about the outage once', async () => {
  const { net, clock, browser, start } = setUp();
  const instance = start();
  await change(instance, browser, (session) => (session.views = 1));
  net.set('refuse');
  await change(instance, browser, (session) => (session.views = 2));
  clock.advance(6);
  const before = net.count;
  assert.deepEqual(await look(instance, browser), { views: 2 });
  assert.equal(net.count - before, 2);
});

test('fresh asks a bridge also when the cookie carries data that this instance has brought home', async () => {
  const { net, clock, browser, start } = setUp();
  const [one, other] = [start(), start()];
  await change(one, browser, (session) => (session.views = 1));
  net.set('refuse');
  await change(one, browser, (session) => (session.views = 2));
  net.set(null);
  clock.advance(6);
  // The answers get lost: the browser still has the cookie of the outage.
  const lost = { headers: new Headers() };
  assert.equal((await one.manager.getSession(browser.request(), lost)).views, 2);
  const session = await other.manager.getSession(browser.request(), lost);
  session.views = 3;
  await session.save();
  const again = await one.manager.getSession(browser.request(), { ...lost, fresh: true });
  assert.equal(again.views, 3);
});

test('all copies of the module in one process share one memory', async () => {
  const { net, browser, start } = setUp();
  const holder = {};
  const [one, copy] = [start({ holder }), start({ holder })];
  await change(one, browser, (session) => (session.userId = '42'));
  const before = net.count;
  assert.deepEqual(await look(copy, browser), { userId: '42' });
  assert.equal(net.count, before);
  const stranger = start({ holder, secret: 'another-session-secret-0123456789-abcdef' });
  assert.deepEqual(await look(stranger, browser), {});
});
