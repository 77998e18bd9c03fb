import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseSetCookie } from 'cookie';
import { readCookieHeader, type SessionOptions } from '../../packages/client/src/index.ts';
import { formatHint, readHint } from '../../packages/client/src/cookies.ts';
import { createSealer } from '../../packages/client/src/seal.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  look,
  SECRET,
  TestClock,
  visit,
  type Data,
  type Instance,
} from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

function setUp(options: SessionOptions<Data> = {}): {
  net: FaultyFetch;
  instance: Instance;
  browser: TestBrowser;
} {
  const net = new FaultyFetch(new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } }).fetch);
  return { net, instance: createInstance(net.fetch, options), browser: new TestBrowser() };
}

/** The lines of an answer whose handler saved a session. */
async function savedLines(options: SessionOptions<Data>, request: Request): Promise<string[]> {
  const { instance } = setUp(options);
  const headers = new Headers();
  const session = await instance.manager.getSession(request, { headers });
  session.userId = '42';
  await session.save();
  assert.equal(headers.get('cache-control'), 'private, no-store');
  return headers.getSetCookie();
}

test('both cookies are __Host-, HttpOnly, Secure, Lax and without Domain, and go with the browser', async () => {
  const [who, at, ...more] = await savedLines({}, new Request('https://app.example/'));
  assert.equal(more.length, 0);
  for (const [line, name] of [
    [who, '__Host-session'],
    [at, '__Host-session-at'],
  ] as const) {
    const { name: given, value, ...attributes } = parseSetCookie(line ?? '');
    assert.equal(given, name);
    assert.ok(value !== undefined && name.length + 1 + value.length < 4096);
    assert.deepEqual(attributes, { httpOnly: true, secure: true, sameSite: 'lax', path: '/' });
  }
  assert.match(parseSetCookie(at ?? '').value ?? '', /^\d{1,4}\.1\..{8}$/);
});

test('cookie options are honoured', async () => {
  const options = { cookie: { name: 'shop', maxAge: 3600, sameSite: 'strict' as const } };
  const lines = await savedLines(options, new Request('https://app.example/'));
  const [who, at] = lines.map((line) => parseSetCookie(line));
  assert.equal(who?.name, '__Host-shop');
  assert.equal(at?.name, '__Host-shop-at');
  assert.deepEqual([who?.maxAge, who?.sameSite, at?.maxAge, at?.sameSite], [3600, 'strict', 3600, 'strict']);
});

test('only on plain-http localhost are the cookies plain, with one warning', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const at = async (url: string, headers: Record<string, string> = {}): Promise<string | undefined> => {
    const [line] = await savedLines({}, new Request(url, { headers }));
    return parseSetCookie(line ?? '').name;
  };
  assert.equal(await at('http://localhost:3000/'), 'session');
  assert.equal(await at('http://127.0.0.1:3000/'), 'session');
  assert.equal(warn.mock.callCount(), 2);
  assert.equal(await at('http://app.example/'), '__Host-session');
  assert.equal(await at('http://localhost:3000/', { 'x-forwarded-proto': 'https' }), '__Host-session');
  assert.equal(await at('http://localhost:3000/', { 'x-forwarded-host': 'app.example' }), '__Host-session');
  assert.equal(await at('http://localhost:3000/', { origin: 'https://app.example' }), '__Host-session');
  assert.equal(await at('http://localhost.example/'), '__Host-session');
  const [secure] = await savedLines({ cookie: { secure: true } }, new Request('http://localhost:3000/'));
  assert.equal(parseSetCookie(secure ?? '').secure, true);

  const { instance } = setUp();
  const browser = new TestBrowser('http://localhost:3000/');
  await change(instance, browser, (session) => (session.views = 1));
  await change(instance, browser, (session) => (session.views = 2));
  assert.equal(warn.mock.callCount(), 3);
  assert.deepEqual(await look(instance, browser), { views: 2 });
});

test('a session saved twice in one answer leaves one cookie of each name, and others alone', async () => {
  const { instance, browser } = setUp();
  const headers = new Headers([
    ['set-cookie', 'theme=dark'],
    ['set-cookie', '__Host-session-attic=1'],
  ]);
  const session = await instance.manager.getSession(browser.request(), { headers });
  session.views = 1;
  await session.save();
  session.views = 2;
  await session.save();
  const names = headers.getSetCookie().map((line) => parseSetCookie(line).name);
  assert.deepEqual(names.toSorted(), [
    '__Host-session',
    '__Host-session-at',
    '__Host-session-attic',
    'theme',
  ]);
});

test('a name that comes twice is read twice, in order, three times at most', () => {
  const header = 'a=1; __Host-s=x;__Host-s=y; x__Host-s=no; b=__Host-s=no; __Host-s=z; __Host-s=w';
  assert.deepEqual(readCookieHeader(header, '__Host-s'), ['x', 'y', 'z']);
  assert.deepEqual(readCookieHeader(null, 'a'), []);
  assert.deepEqual(readCookieHeader('\u00a0__Host-s=x; __host-s=y; \t__Host-s=z', '__Host-s'), []);
});

test('a false cookie beside the true one keeps nobody out', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  const { who, at } = browser;
  for (const cookie of [
    `__Host-session=forged; __Host-session=${who}; __Host-session-at=${at}`,
    `__Host-session=${who}; __Host-session=forged; __Host-session-at=9.9.forgedXX; __Host-session-at=${at}`,
  ]) {
    const session = await instance.manager.getSession(new Request(browser.url, { headers: { cookie } }));
    assert.equal(session.userId, '42');
  }
});

test('ten thousand forged cookies give anonymous sessions, without an exception or a request', async () => {
  const { net, instance, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  const before = net.count;
  const who = browser.who ?? '';
  const octets = fc.string({ unit: fc.constantFrom(...'aZ09*._~-%=.'), maxLength: 400 });
  const forged = fc.oneof(
    octets,
    // One character of the true seal replaced, but not in what stands outside of its signature, nor the
    // signature's last one: two of its bits mean nothing (RFC 4648, section 3.5).
    fc.tuple(fc.nat(who.length - 4), fc.constantFrom(...'aZ09*')).map(([at, octet]) => {
      const changed = who.slice(0, at) + octet + who.slice(at + 1);
      return changed === who ? 'x' : changed;
    }),
    fc.nat(who.length - 10).map((length) => who.slice(0, length)),
  );
  await fc.assert(
    fc.asyncProperty(forged, octets, async (seal, hint) => {
      const cookie = `__Host-session=${seal}; __Host-session-at=${hint}`;
      const session = await instance.manager.getSession(new Request(browser.url, { headers: { cookie } }));
      assert.equal(session.meta.isNew, true);
      assert.deepEqual({ ...session }, {});
    }),
    { numRuns: 10_000 },
  );
  assert.equal(net.count, before);
});

test('forged hints beside a true seal cost one look at most', async () => {
  const clock = new TestClock();
  const { net, instance, browser } = setUp({ maxStale: Infinity, clock });
  await change(instance, browser, (session) => (session.userId = '42'));
  const tag = browser.who?.slice(-8);
  const hints = ['', '.', '0', '0.1', `-1.1.${tag}`, `0.0.${tag}`, `0.4294967296.${tag}`, `99999.1.${tag}`];
  for (const hint of [...hints, `0.1.${tag}.Fe26.2*x*y`, '0.2147483648.otherTag', `9999.1.${tag}`]) {
    const before = net.count;
    const cookie = `__Host-session=${browser.who}; __Host-session-at=${hint}`;
    const session = await instance.manager.getSession(new Request(browser.url, { headers: { cookie } }));
    assert.equal(session.userId, '42', hint);
    assert.ok(net.count - before <= 1, hint);
  }
  // A version that was never reached: this browser is shown nothing, its cookies stay.
  const forger = browser.clone();
  forger.cookies.set('__Host-session-at', `0.2147483648.${tag}`);
  await assert.rejects(look(instance, forger), { code: 'nodes_unavailable' });
  clock.advance(31);
  assert.deepEqual(await look(instance, forger), {});
  assert.equal(forger.at, `0.2147483648.${tag}`);
  assert.deepEqual(instance.events.at(-1), { type: 'rejected', what: 'record', reason: 'below_floor' });
  assert.deepEqual(await look(instance, browser), { userId: '42' });
});

test('what was sealed for something else is not an id', async () => {
  const { net, instance, browser } = setUp();
  const sealer = createSealer([SECRET]);
  const id = '602F7397FBE4D9932E59A9D0E52FE178';
  const iat = Math.floor(Date.now() / 1000);
  const crafted = {
    'for another app': await sealer.seal('id', { id, app: 'other', iat }, 3600),
    'as data': await sealer.seal('data', { id, app: 'default', iat }, 3600),
    'with an index': await sealer.seal('id', { id: `${id}.0`, app: 'default', iat }, 3600),
    'in lower case': await sealer.seal('id', { id: id.toLowerCase(), app: 'default', iat }, 3600),
    'without a time': await sealer.seal('id', { id, app: 'default' }, 3600),
    'as a list': await sealer.seal('id', [id, 'default', iat], 3600),
    'with another secret': await createSealer([`another ${SECRET}`]).seal(
      'id',
      { id, app: 'default', iat },
      3600,
    ),
    'for a time that is over': await sealer.seal('id', { id, app: 'default', iat }, -120),
  };
  for (const [what, seal] of Object.entries(crafted)) {
    instance.events.length = 0;
    browser.cookies.set('__Host-session', seal);
    assert.deepEqual(await look(instance, browser), {}, what);
    assert.equal(instance.told('rejected').length, 1, what);
  }
  assert.equal(net.count, 0);
});

test('the mark behind a seal changes nothing', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  browser.cookies.set('__Host-session', (browser.who ?? '').replace(/~2$/, '~1'));
  assert.deepEqual(await look(instance, browser), { userId: '42' });
});

test('hints are read back as they were written, and belong to one seal', () => {
  const seal = 'Fe26.2*1*abcdefgh-_~2';
  fc.assert(
    fc.property(
      fc.option(fc.nat(9999)),
      fc.integer({ min: 1, max: 2 ** 31 }),
      fc.option(fc.stringMatching(/^[A-Za-z0-9*._~-]{1,50}$/)),
      (index, floor, sealedData) => {
        const hint = { index, floor, sealedData };
        const value = formatHint(hint, seal);
        assert.deepEqual(readHint(['x', value], seal), hint);
        assert.equal(readHint([value], `${seal}3`), null);
      },
    ),
  );
  assert.equal(readHint([formatHint({ index: 0, floor: 3, sealedData: null }, seal)], seal)?.floor, 3);
});

test('answers that overtake each other never change who one is', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => (session.cart = ['apple']));
  // Three requests leave with the same cookies; their answers arrive in every order.
  const before = browser.clone();
  const slow = new Headers();
  const late = await instance.manager.getSession(before.request(), { headers: slow });
  late.views = 1;
  await late.save();
  const login = new Headers();
  const session = await instance.manager.getSession(before.request(), { headers: login });
  session.userId = '42';
  await session.regenerate();
  for (const order of [
    [slow, login],
    [login, slow],
  ]) {
    const arriving = before.clone();
    for (const headers of order) arriving.take(headers);
    assert.equal((await look(instance, arriving)).userId, '42');
    await change(instance, arriving, (mine) => (mine.views = (mine.views ?? 0) + 1));
  }
  const logout = new Headers();
  const leaving = before.clone();
  leaving.take(login);
  const moved = new Headers();
  const reader = await instance.manager.getSession(leaving.request(), { headers: moved, fresh: true });
  reader.views = 50;
  await reader.save();
  await (await instance.manager.getSession(leaving.request(), { headers: logout })).destroy();
  leaving.take(logout);
  leaving.take(moved);
  assert.equal(leaving.who, undefined);
  assert.deepEqual(await look(instance, leaving), {});
});

test('a seal past half of its life is made again, and ends when the session does', async () => {
  const clock = new TestClock();
  const { instance, browser } = setUp({ clock, absoluteTtl: 1000, ttl: 1000 });
  await change(instance, browser, (session) => (session.views = 1));
  const first = browser.who;
  clock.advance(400);
  await look(instance, browser);
  assert.equal(browser.who, first);
  clock.advance(200);
  await look(instance, browser);
  assert.notEqual(browser.who, first);
  assert.deepEqual(await look(instance, browser), { views: 1 });
  const { ref } = await visit(instance, browser, (session) => session.meta);
  const old = new TestBrowser();
  old.cookies.set('__Host-session', first ?? '');
  assert.equal((await visit(instance, old, (session) => session.meta)).ref, ref);
  clock.advance(401);
  assert.deepEqual(await look(instance, browser), {});
});
