import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as devalue from 'devalue';
import superjson from 'superjson';
import { SessionError, type DataCodec, type SessionOptions } from '../../packages/client/src/index.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  assertRefused,
  look,
  visit,
  type Data,
} from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

function setUp(options: SessionOptions<Data> = {}): {
  bridge: MemoryBridge;
  net: FaultyFetch;
  browser: TestBrowser;
  instance: ReturnType<typeof createInstance>;
  another: () => ReturnType<typeof createInstance>;
} {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const net = new FaultyFetch(bridge.fetch);
  const another = (): ReturnType<typeof createInstance> => createInstance(net.fetch, options);
  return { bridge, net, browser: new TestBrowser(), instance: another(), another };
}

function hasCode(code: SessionError['code']): (error: unknown) => boolean {
  return (error) => error instanceof SessionError && error.code === code;
}

test('a session looks like a plain object of the data alone', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => Object.assign(session, { userId: '42', views: 1 }));
  await visit(instance, browser, (session) => {
    assert.equal(Object.getPrototypeOf(session), Object.prototype);
    assert.deepEqual(Object.keys(session), ['userId', 'views']);
    assert.equal(JSON.stringify(session), '{"userId":"42","views":1}');
    assert.ok(!JSON.stringify(session).includes(session.meta.ref ?? 'no ref'));
    const { save } = session;
    assert.equal(typeof save, 'function');
    assert.throws(() => Object.assign(session, { save: 1 }), TypeError);
  });
});

test('each request gets a copy of its own', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => (session.cart = ['apple']));
  const first = await instance.manager.getSession(browser.request());
  first.cart?.push('never saved');
  const second = await instance.manager.getSession(browser.request());
  assert.deepEqual(second.cart, ['apple']);
});

test('one request gets the same session object each time', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const request = browser.request();
  const [first, second] = await Promise.all([
    instance.manager.getSession(request),
    instance.manager.getSession(request),
  ]);
  assert.equal(first, second);
});

test('asking for a fresh session again in one request keeps unsaved changes', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const request = browser.request();
  const session = await instance.manager.getSession(request, { headers: new Headers() });
  session.userId = '42';
  await change(another(), browser, (other) => (other.views = 2));
  assert.equal(await instance.manager.getSession(request, { fresh: true }), session);
  assert.deepEqual({ ...session }, { views: 2, userId: '42' });
});

test('meta says where the session stands', async () => {
  const { instance, another, browser } = setUp();
  await visit(instance, browser, async (session) => {
    assert.deepEqual(session.meta, {
      ref: null,
      version: 0,
      home: null,
      isNew: true,
      source: 'new',
      stale: false,
      copies: null,
    });
    session.views = 1;
    await session.save();
    assert.equal(session.meta.isNew, false);
    assert.equal(session.meta.copies, 2);
    assert.equal(session.meta.version, 1);
  });
  const { home, source, copies, stale } = await visit(another(), browser, (session) => session.meta);
  assert.deepEqual(
    { home, source, copies, stale },
    { home: 0, source: 'bridge', copies: null, stale: false },
  );
});

test('data that JSON cannot carry is refused with the path of the field, and nothing is sent', async () => {
  const { instance, net, browser } = setUp();
  const cycle: Record<string, unknown> = {};
  cycle['self'] = { again: cycle };
  const refused: [string, unknown][] = [
    ['field[1]', [1, undefined]],
    ['field.at', { at: new Date(0) }],
    ['field.deep[0].map', { deep: [{ map: new Map() }] }],
    ['field', 1n],
    ['field', Number.NaN],
    ['field.price', { price: Infinity }],
    ['field.call', { call: () => 1 }],
    ['field', Symbol('s')],
    ['field.self.again', cycle],
    ['field.constructor', { constructor: 'team' }],
    ['field.__proto__', JSON.parse('{"__proto__": {"isAdmin": true}}')],
    ['field', { [Symbol('hidden')]: 1 }],
    ['field', Object.assign([1], { more: 2 })],
    // The hole is what is meant.
    // eslint-disable-next-line no-sparse-arrays
    ['field[1]', [1, , 3]],
    ['field', new (class Cart {})()],
  ];
  for (const [path, value] of refused) await assertRefused(instance, browser, { path, value });
  assert.equal(net.count, 0);
});

test('undefined properties are absent, as in JSON', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) =>
    Object.assign(session, { a: { b: undefined, c: 1 }, d: undefined }),
  );
  assert.deepEqual(await look(another(), browser), { a: { c: 1 } });
});

test('a reserved name is the caller’s mistake', async () => {
  const { instance, browser } = setUp();
  for (const name of ['constructor', 'prototype']) {
    await assert.rejects(
      change(instance, browser, (session) => (session[name] = 1)),
      TypeError,
    );
  }
});

const devalueCodec: DataCodec = {
  name: 'devalue',
  encode: (value) => devalue.stringify(value),
  decode: (text) => devalue.parse(String(text)),
};

const superjsonCodec: DataCodec = {
  name: 'superjson',
  encode: (value) => superjson.serialize(value),
  // It is what serialize() gave, come back from JSON.
  decode: (value) => superjson.deserialize(value as unknown as ReturnType<typeof superjson.serialize>),
};

for (const codec of [devalueCodec, superjsonCodec]) {
  test(`with ${codec.name} as codec a session carries Date, Map, Set and BigInt`, async () => {
    const { instance, another, browser } = setUp({ codec });
    const rich = {
      at: new Date(1000),
      stock: new Map([['apple', { price: 10n }]]),
      tags: new Set(['a', 'b']),
      nested: { big: 12345678901234567890n, plain: [1, 'two', null] },
    };
    await change(instance, browser, (session) => Object.assign(session, rich));
    const tab = browser.clone();
    await visit(another(), browser, async (session) => {
      assert.deepEqual({ ...session }, rich);
      await session.save();
      assert.equal(session.meta.version, 1);
      session['tags'] = new Set(['c']);
      await session.save();
    });
    await visit(instance, tab, async (session) => {
      session.views = 1;
      await session.save();
    });
    assert.deepEqual(await look(another(), tab), { ...rich, tags: new Set(['c']), views: 1 });
  });
}

test('a codec reads what was stored before there was one; without it, its records are rejected', async () => {
  const { bridge, instance, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const withCodec = createInstance(bridge.fetch, { codec: devalueCodec });
  await change(withCodec, browser, (session) => (session['at'] = new Date(1000)));
  const other = createInstance(bridge.fetch, { codec: devalueCodec });
  assert.deepEqual(await look(other, browser), { views: 1, at: new Date(1000) });
  const without = createInstance(bridge.fetch);
  assert.deepEqual(await look(without, browser), {});
  assert.deepEqual(without.events, [{ type: 'rejected', what: 'record', reason: 'codec' }]);
});

test('what a codec refuses is named by its field', async () => {
  const { instance, browser } = setUp({ codec: devalueCodec });
  const unsaved = change(instance, browser, (session) => (session['call'] = () => 1));
  await assert.rejects(
    unsaved,
    (error) =>
      error instanceof SessionError && error.code === 'data_not_serializable' && /call/.test(error.message),
  );
});

test('two saves at once are two saves, one after the other', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  await visit(instance, browser, async (session) => {
    await change(another(), tab, (other) => (other.userId = '42'));
    session.views = 2;
    const first = session.save();
    session.views = 3;
    await Promise.all([first, session.save()]);
    assert.deepEqual({ ...session }, { views: 3, userId: '42' });
  });
  assert.deepEqual(await look(another(), browser), { views: 3, userId: '42' });
});

test('reload() drops unsaved changes and shows what others saved', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  await visit(instance, browser.clone(), async (session) => {
    session.views = 100;
    await change(another(), browser, (other) => (other.userId = '42'));
    await session.reload();
    assert.deepEqual({ ...session }, { views: 1, userId: '42' });
  });
});

test('update() runs again on newer data, keeps unsaved changes and returns what was stored', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  await visit(instance, browser, async (session) => {
    await change(another(), tab, (other) => (other.views = 10));
    session.userId = '42';
    let runs = 0;
    const views = await session.update((data) => {
      runs += 1;
      return (data.views = (data.views ?? 0) + 1);
    });
    assert.deepEqual({ views, runs }, { views: 11, runs: 2 });
    assert.deepEqual({ ...session }, { views: 11, userId: '42' });
  });
});

test('what the app changes while it is saved is not overwritten by what others have saved', async () => {
  const { instance, another, browser, net } = setUp();
  await change(instance, browser, (session) =>
    Object.assign(session, { views: 1, cart: ['a'], toString: 0 }),
  );
  const before = browser.clone();
  await visit(instance, before, async (session) => {
    await change(another(), browser, (other) => {
      Object.assign(other, { views: 2, cart: ['b'], userId: '42' });
      Reflect.deleteProperty(other, 'toString');
    });
    net.hold();
    session['mine'] = 1;
    const saved = session.save();
    await waitUntil(() => net.heldCount === 1, 'the save has been sent');
    session.views = 7;
    session['at'] = new Date();
    session.cart?.push('c');
    net.release();
    await saved;
    delete session['at'];
    const data = { mine: 1, views: 7, cart: ['a', 'c'], userId: '42' };
    assert.deepEqual({ ...session }, data);
    await session.save();
    assert.deepEqual(await look(another(), browser), data);
  });
});

test('what is confirmed, or gets a new id, keeps the very objects that nobody else has changed', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => Object.assign(session, { views: 1, cart: ['a'] }));
  const request = browser.request();
  const headers = new Headers();
  const session = await instance.manager.getSession(request, { headers });
  const { cart } = session;
  await change(another(), browser, (other) => (other.views = 2));
  await instance.manager.getSession(request, { fresh: true });
  cart?.push('b');
  await session.regenerate();
  cart?.push('c');
  await session.save();
  browser.take(headers);
  assert.deepEqual(await look(another(), browser), { views: 2, cart: ['a', 'b', 'c'] });
});

test('a conflict is refused where merging is not wanted', async () => {
  const { instance, another, browser } = setUp({ onConflict: 'reject' });
  await change(instance, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  await visit(instance, tab, async (session) => {
    await change(another(), browser, (other) => (other.userId = '42'));
    session.views = 2;
    await assert.rejects(session.save(), hasCode('conflict'));
    await session.reload();
    session.views = 2;
    await session.save();
  });
  assert.deepEqual(await look(another(), tab), { views: 2, userId: '42' });
});

test('a conflict function decides what is stored', async () => {
  const { instance, another, browser } = setUp({
    onConflict: ({ base, mine, theirs }) => ({
      cart: [...(theirs.cart ?? []), ...(mine.cart ?? []).filter((item) => !base.cart?.includes(item))],
    }),
  });
  await change(instance, browser, (session) => (session.cart = ['apple']));
  const tab = browser.clone();
  await visit(instance, tab, async (session) => {
    await change(another(), browser, (other) => other.cart?.push('pear'));
    session.cart?.push('quince');
    await session.save();
    assert.deepEqual(session.cart, ['apple', 'pear', 'quince']);
  });
  assert.deepEqual(await look(another(), tab), { cart: ['apple', 'pear', 'quince'] });
});

test('two saves that say the same make one version', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  await visit(instance, tab, async (session) => {
    await change(another(), browser, (other) => (other.views = 2));
    session.views = 2;
    await session.save();
    assert.equal(session.meta.version, 2);
  });
});

test('after destroy() a save without data does nothing, and one with data is refused', async () => {
  const { instance, net, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  await visit(instance, browser, async (session) => {
    await session.destroy();
    assert.deepEqual({ ...session }, {});
    const before = net.count;
    await session.save();
    await session.destroy();
    assert.equal(net.count, before);
    session.views = 2;
    await assert.rejects(session.save(), hasCode('session_destroyed'));
    await assert.rejects(session.regenerate(), hasCode('session_destroyed'));
  });
});

test('a login on a session that has vanished keeps only what is new', async () => {
  const { bridge, instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.cart = ['apple']));
  const tab = browser.clone();
  await visit(instance, browser, async (session) => {
    await visit(another(), tab, (other) => other.destroy());
    session.userId = '42';
    await session.regenerate();
    assert.deepEqual({ ...session }, { userId: '42' });
  });
  assert.deepEqual(await look(another(), browser), { userId: '42' });
  assert.equal(bridge.items.size, 2);
});

test('regenerate() without data stores nothing, and changes nothing in an outage', async () => {
  const { instance, net, browser } = setUp();
  await visit(instance, browser, (session) => session.regenerate());
  assert.equal(net.count, 0);
  await change(instance, browser, (session) => (session.views = 1));
  const before = new Map(browser.cookies);
  net.set('refuse');
  await assert.rejects(
    visit(instance, browser, (session) => session.regenerate()),
    hasCode('bridge_unavailable'),
  );
  assert.deepEqual(browser.cookies, before);
  net.set(null);
  assert.deepEqual(await look(instance, browser), { views: 1 });
});

test('a session without headers to write to is read-only, and says so', async () => {
  const { instance, browser } = setUp();
  const session = await instance.manager.getSession(browser.request());
  await session.save();
  session.views = 1;
  for (const write of [() => session.save(), () => session.destroy(), () => session.regenerate()]) {
    await assert.rejects(write(), hasCode('read_only'));
  }
  await assert.rejects(session.save(), /headers.*withSession\(\)/s);
});
