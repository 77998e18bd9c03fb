/** What others save while regenerate() gives a session another id. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt } from 'jose';
import { SessionError, type SessionOptions } from '../../packages/client/src/index.ts';
import { BRIDGE_SECRET, change, createInstance, look, visit, type Data } from '../support/client-instance.ts';
import { FaultyFetch, type Step } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

interface SetUp {
  readonly bridge: MemoryBridge;
  readonly net: FaultyFetch;
  readonly browser: TestBrowser;
  /** The same browser with the cookies from before the move. */
  readonly tab: TestBrowser;
  readonly id: string;
  readonly instance: ReturnType<typeof createInstance>;
  readonly another: () => ReturnType<typeof createInstance>;
}

/** A session with `views` 1 whose id is to change. */
async function setUp(options: SessionOptions<Data> = {}): Promise<SetUp> {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const net = new FaultyFetch(bridge.fetch);
  const another = (): ReturnType<typeof createInstance> => createInstance(net.fetch, options);
  const [instance, browser] = [another(), new TestBrowser()];
  const id = await visit(instance, browser, async (session) => {
    session.views = 1;
    await session.save();
    return session.meta.ref?.slice(0, 32) ?? '';
  });
  return { bridge, net, browser, tab: browser.clone(), id, instance, another };
}

const PASS: Step = (pass) => pass();

/** The requests of a move, in their order. */
const REQUESTS = ['load', 'store', 'end', 'delete'] as const;

/** Before this request of the next move, `run` is carried out. */
function before(net: FaultyFetch, request: (typeof REQUESTS)[number], run: () => Promise<unknown>): void {
  for (let at = 0; at < REQUESTS.indexOf(request); at += 1) net.script(PASS);
  net.script(async (pass) => {
    await run();
    return pass();
  });
}

/** Before each try to end the old session, which is every other request then, so many times at most. */
function beforeEachEnd(net: FaultyFetch, most: number, run: (count: number) => Promise<unknown>): void {
  let count = 0;
  const runAgain = async (): Promise<void> => {
    if (count === most) return;
    count += 1;
    await run(count);
    net.script(PASS);
    net.script(step);
  };
  const step: Step = async (pass) => {
    await runAgain();
    return pass();
  };
  before(net, 'end', runAgain);
}

function hasCode(code: SessionError['code']): (error: unknown) => boolean {
  return (error) => error instanceof SessionError && error.code === code;
}

for (const moment of ['store', 'end'] as const) {
  test(`what is saved under the old id before the ${moment} request of regenerate() is taken along`, async () => {
    const { net, browser, tab, instance, another } = await setUp();
    before(net, moment, () => change(another(), tab, (session) => (session.cart = ['apple'])));
    await visit(instance, browser, async (session) => {
      session.userId = '42';
      await session.regenerate();
      assert.deepEqual({ ...session }, { views: 1, userId: '42', cart: ['apple'] });
    });
    assert.equal(instance.told('conflict').length, 1);
    assert.deepEqual(await look(another(), browser), { views: 1, userId: '42', cart: ['apple'] });
    assert.deepEqual(await look(another(), tab), {});
  });
}

test('many saves one after the other are all taken along', async () => {
  const { net, browser, tab, instance, another } = await setUp();
  const saver = another();
  beforeEachEnd(net, 5, (count) => change(saver, tab, (session) => (session[`save${count}`] = count)));
  await visit(instance, browser, (session) => session.regenerate());
  const all = { views: 1, save1: 1, save2: 2, save3: 3, save4: 4, save5: 5 };
  assert.deepEqual(await look(another(), browser), all);
});

test('once the old session has ended, nobody is shown it or can save it, also before it is deleted', async () => {
  const { bridge, net, browser, tab, id, instance, another } = await setUp();
  const reader = another();
  await look(reader, tab);
  let isSeen = false;
  before(net, 'delete', async () => {
    isSeen = true;
    const { end, data } = decodeJwt(bridge.item(id)?.record ?? '');
    assert.deepEqual({ end, data }, { end: true, data: {} });
    assert.deepEqual(await look(another(), tab.clone()), {});
    await visit(reader, tab.clone(), async (session) => {
      session.userId = 'thief';
      await assert.rejects(session.save(), hasCode('session_destroyed'));
    });
  });
  await visit(instance, browser, (session) => session.regenerate());
  assert.ok(isSeen);
  assert.equal(bridge.item(id)?.record, '');
  assert.deepEqual(await look(another(), browser), { views: 1 });
});

test('the old session has ended although the answers to that and its deletion were lost', async () => {
  const { net, browser, tab, instance, another } = await setUp();
  net.script(PASS);
  net.script(PASS);
  net.script(async (pass) => {
    await pass();
    net.set('refuse');
    throw new TypeError('fetch failed');
  });
  await assert.rejects(
    visit(instance, browser, (session) => session.regenerate()),
    hasCode('bridge_unavailable'),
  );
  net.set(null);
  assert.deepEqual(await look(another(), browser), { views: 1 });
  assert.deepEqual(await look(another(), tab), {});
});

test('where a conflict is refused, nothing has changed, and nothing is lost', async () => {
  const { bridge, net, browser, tab, id, instance, another } = await setUp({ onConflict: 'reject' });
  const cookies = new Map(browser.cookies);
  before(net, 'end', () => change(another(), tab, (session) => (session.cart = ['apple'])));
  await visit(instance, browser, async (session) => {
    session.userId = '42';
    await assert.rejects(session.regenerate(), hasCode('conflict'));
    assert.equal(session.meta.ref?.slice(0, 32), id);
  });
  assert.deepEqual(browser.cookies, cookies);
  // The new id, which nobody knows, has ended in its place.
  const others = [...bridge.items.keys()].filter((key) => !key.endsWith(id));
  assert.deepEqual(
    others.map((key) => bridge.items.get(key)?.record),
    [''],
  );
  await visit(instance, browser, async (session) => {
    await session.reload();
    session.userId = '42';
    await session.regenerate();
  });
  assert.deepEqual(await look(another(), browser), { views: 1, cart: ['apple'], userId: '42' });
});

test('who has changed nothing is in nobody’s way: the other save is taken along where conflicts are refused', async () => {
  const { net, browser, tab, instance, another } = await setUp({ onConflict: 'reject' });
  before(net, 'end', () => change(another(), tab, (session) => (session.cart = ['apple'])));
  await visit(instance, browser, (session) => session.regenerate());
  assert.deepEqual(await look(another(), browser), { views: 1, cart: ['apple'] });
});

test('a session that others never stop saving keeps its id, and all that they save', async () => {
  const { net, browser, tab, id, instance, another } = await setUp();
  const saver = another();
  let saves = 0;
  beforeEachEnd(net, Infinity, (count) => {
    saves = count;
    return change(saver, tab, (session) => (session['saves'] = count));
  });
  await visit(instance, browser, async (session) => {
    await assert.rejects(session.regenerate(), hasCode('bridge_unavailable'));
    assert.equal(session.meta.ref?.slice(0, 32), id);
  });
  assert.ok(saves >= 10);
  assert.deepEqual(await look(saver, tab), { views: 1, saves });
});

test('what nodes have lost meanwhile is not missing under the new id', async () => {
  const { bridge, net, browser, tab, id, instance, another } = await setUp();
  const key = `default:${id}`;
  const older = bridge.items.get(key);
  assert.ok(older !== undefined);
  await change(instance, browser, (session) => (session.views = 2));
  before(net, 'end', async () => bridge.items.set(key, older));
  await visit(instance, browser, (session) => session.regenerate());
  assert.deepEqual(await look(another(), browser), { views: 2 });
  assert.deepEqual(await look(another(), tab), {});
});

test('regenerate() ends the old session itself when a logout of it is still on its way', async () => {
  const { bridge, net, browser, tab, id, another } = await setUp({ timeoutMs: 3_000 });
  const instance = another();
  let logout: Promise<unknown> = Promise.resolve();
  await visit(instance, browser, async (session) => {
    net.script(() => new Promise(() => undefined));
    logout = visit(instance, tab, (other) => other.destroy()).catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    session.userId = '42';
    await session.regenerate();
    assert.equal(bridge.item(id)?.record, '');
    assert.deepEqual({ ...session }, { userId: '42' });
  });
  await logout;
});
