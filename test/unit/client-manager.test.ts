import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  appendCookies,
  SessionError,
  type CookieJar,
  type ReadOnlyReason,
  type SessionCookie,
  type SessionOptions,
} from '../../packages/client/src/index.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  look,
  visit,
  type Data,
  type Instance,
} from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

function setUp(options: SessionOptions<Data> = {}): {
  bridge: MemoryBridge;
  net: FaultyFetch;
  instance: Instance;
  another: () => Instance;
  browser: TestBrowser;
} {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const net = new FaultyFetch(bridge.fetch);
  const another = (): Instance => createInstance(net.fetch, options);
  return { bridge, net, instance: another(), another, browser: new TestBrowser() };
}

test('a wrapped handler’s session is saved when it has returned, and its answer gets the cookies', async () => {
  const { instance, another, browser } = setUp();
  const { getSession, withSession } = instance.manager;
  const handler = withSession(async (request: Request, name: string) => {
    const session = await getSession(request);
    session.userId = name;
    return Response.json({ name }, { status: 201, headers: { 'x-kept': 'yes', 'set-cookie': 'theme=dark' } });
  });
  const response = await handler(browser.request(), '42');
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('x-kept'), 'yes');
  assert.equal(response.headers.get('cache-control'), 'private, no-store');
  assert.deepEqual(await response.json(), { name: '42' });
  browser.take(response.headers);
  assert.deepEqual([...browser.cookies.keys()].toSorted(), ['__Host-session', '__Host-session-at', 'theme']);
  assert.deepEqual(await look(another(), browser), { userId: '42' });
});

test('an answer that cannot be changed gets the cookies all the same', async () => {
  const { instance, another, browser } = setUp();
  const handler = instance.manager.withSession(async (request) => {
    (await instance.manager.getSession(request)).userId = '42';
    return Response.redirect('https://app.example/account');
  });
  const response = await handler(browser.request());
  assert.equal(response.status, 302);
  assert.equal(response.headers.get('location'), 'https://app.example/account');
  browser.take(response.headers);
  assert.deepEqual(await look(another(), browser), { userId: '42' });
});

test('an answer without a body stays one', async () => {
  const { instance, browser } = setUp();
  const handler = instance.manager.withSession(async (request) => {
    (await instance.manager.getSession(request)).userId = '42';
    return new Response(null, { status: 204 });
  });
  const response = await handler(browser.request());
  assert.equal(response.status, 204);
  assert.equal(response.headers.getSetCookie().length, 2);
});

test('a handler that does not ask for the session costs nothing, and its answer is passed on as it is', async () => {
  const { net, instance, browser } = setUp();
  const answer = new Response('hello');
  const handler = instance.manager.withSession(() => answer);
  assert.equal(await handler(browser.request()), answer);
  const reading = instance.manager.withSession(async (request) => {
    await instance.manager.getSession(request);
    return answer;
  });
  assert.equal(await reading(browser.request()), answer);
  assert.equal(net.count, 0);
});

test('what a handler throws is passed on, and nothing is saved', async () => {
  const { bridge, instance, browser } = setUp();
  const handler = instance.manager.withSession(async (request) => {
    (await instance.manager.getSession(request)).userId = '42';
    throw new RangeError('no');
  });
  await assert.rejects(handler(browser.request()), RangeError);
  assert.equal(bridge.items.size, 0);
});

test('of wrapped handlers within each other the outer one saves, and its answer gets the cookies', async () => {
  const { bridge, instance, another, browser } = setUp();
  const { getSession, withSession } = instance.manager;
  const inner = withSession(async (request: Request) => {
    (await getSession(request)).views = 1;
    return new Response('inner');
  });
  const outer = withSession(async (request: Request) => {
    const response = await inner(request);
    assert.equal(bridge.operations.length, 0);
    (await getSession(request)).userId = '42';
    return new Response(`outer of ${await response.text()}`);
  });
  const response = await outer(browser.request());
  assert.equal(await response.text(), 'outer of inner');
  browser.take(response.headers);
  assert.deepEqual(await look(another(), browser), { views: 1, userId: '42' });
});

test('a wrapped handler saves also when it does not wait for another one that it calls', async () => {
  const { instance, another, browser } = setUp();
  const { getSession, withSession } = instance.manager;
  let finish = (): void => undefined;
  const slow = withSession(() => new Promise((resolve) => (finish = () => resolve(new Response()))));
  const running: Promise<unknown>[] = [];
  const outer = withSession(async (request: Request) => {
    running.push(slow(request));
    (await getSession(request)).userId = '42';
    return new Response();
  });
  browser.take((await outer(browser.request())).headers);
  assert.deepEqual(await look(another(), browser), { userId: '42' });
  finish();
  await Promise.all(running);
});

test('of wrapped handlers one after the other each saves, and the last answer has all cookies', async () => {
  const { instance, another, browser } = setUp();
  const { getSession, withSession } = instance.manager;
  const check = withSession(async (request: Request) => {
    await getSession(request);
    return new Response('fine');
  });
  const logIn = withSession(async (request: Request) => {
    (await getSession(request)).userId = '42';
    return new Response('welcome');
  });
  const request = browser.request();
  await check(request);
  browser.take((await logIn(request)).headers);
  assert.deepEqual(await look(another(), browser), { userId: '42' });
});

test('who asked for a session before its wrapped handler does not make it read-only there', async () => {
  const { instance, another, browser } = setUp();
  const { getSession, withSession } = instance.manager;
  const request = browser.request();
  assert.equal((await getSession(request)).userId, undefined);
  const logIn = withSession(async () => {
    (await getSession(request)).userId = '42';
    return new Response('welcome');
  });
  browser.take((await logIn(request)).headers);
  assert.deepEqual(await look(another(), browser), { userId: '42' });
});

test('what a stream saves after its wrapped handler has returned is stored, and a new session is refused', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const { bridge, instance, another, browser } = setUp();
  const { getSession, withSession } = instance.manager;
  const streaming = withSession(async (request: Request) => {
    const session = await getSession(request);
    const pull = async (controller: ReadableStreamDefaultController): Promise<void> => {
      await session.update((data) => (data.views = 7));
      controller.close();
    };
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }));
  });
  const refused = await streaming(browser.request());
  await assert.rejects(refused.text(), { code: 'cookies_sent' });
  assert.equal(bridge.items.size, 0);
  await change(instance, browser, (session) => (session.userId = '42'));
  assert.equal(await (await streaming(browser.request())).text(), '');
  assert.equal(warn.mock.callCount(), 1);
  assert.deepEqual(await look(another(), browser), { userId: '42', views: 7 });
});

test('a session that cannot be saved after the handler is an error, not a lost save', async () => {
  const { net, instance, browser } = setUp({ fallback: 'none' });
  net.set('refuse');
  const handler = instance.manager.withSession(async (request) => {
    (await instance.manager.getSession(request)).userId = '42';
    return new Response();
  });
  await assert.rejects(handler(browser.request()), { name: 'SessionUnavailableError' });
});

test('without the fallback a save in an outage fails, and no cookie is set', async () => {
  const { net, instance, browser } = setUp({ fallback: 'none' });
  await change(instance, browser, (session) => (session.userId = '42'));
  const before = new Map(browser.cookies);
  net.set('refuse');
  await assert.rejects(
    change(instance, browser, (session) => (session.views = 1)),
    { name: 'SessionUnavailableError', retryable: true },
  );
  assert.deepEqual(browser.cookies, before);
});

test('a write handed over does not hold up the answer, and the instance sees it at once', async () => {
  const { net, instance, browser } = setUp({ backup: 'after' });
  const background: Promise<unknown>[] = [];
  const waitUntil = (work: Promise<unknown>): number => background.push(work);
  // The first save is awaited: nobody else could find the session.
  await change(instance, browser, (session) => (session.userId = '42'));
  net.hold();
  const headers = new Headers();
  const session = await instance.manager.getSession(browser.request(), { headers, waitUntil });
  session.views = 1;
  await session.save();
  assert.equal(background.length, 1);
  assert.deepEqual(headers.getSetCookie(), []);
  const next = look(instance, browser);
  while (net.heldCount === 0) await new Promise((resolve) => setImmediate(resolve));
  net.release();
  await Promise.all(background);
  assert.deepEqual(await next, { userId: '42', views: 1 });
});

test('a write handed over that fails is reported', async () => {
  const { net, instance, browser } = setUp({ backup: 'after' });
  const background: Promise<unknown>[] = [];
  await change(instance, browser, (session) => (session.userId = '42'));
  net.set('refuse');
  const session = await instance.manager.getSession(browser.request(), {
    headers: new Headers(),
    waitUntil: (work) => background.push(work),
  });
  session.views = 1;
  await session.save();
  await Promise.all(background);
  assert.ok(instance.told('unavailable').length > 0);
  assert.equal(instance.told('fallback').length, 0);
});

test('without a waitUntil every write is awaited', async () => {
  const { bridge, instance, browser } = setUp({ backup: 'after' });
  await change(instance, browser, (session) => (session.userId = '42'));
  await change(instance, browser, (session) => (session.views = 1));
  assert.equal([...bridge.items.values()][0]?.version, 2);
});

test('a waitUntil that throws takes no work: the write is awaited', async () => {
  const { bridge, instance, browser } = setUp({ backup: 'after' });
  const waitUntil = (): never => {
    throw new TypeError('Illegal invocation');
  };
  await change(instance, browser, (session) => (session.userId = '42'));
  const session = await instance.manager.getSession(browser.request(), { headers: new Headers(), waitUntil });
  session.views = 1;
  await session.save();
  assert.equal([...bridge.items.values()][0]?.version, 2);
});

test('an adapter’s jar is read first, written in one go, and asked why it cannot', async () => {
  const { instance, another } = setUp();
  const calls: string[] = [];
  const cookies = new Map<string, SessionCookie>();
  let reason: ReadOnlyReason | null = null;
  const jar: CookieJar = {
    read: (name) => {
      calls.push('read');
      const cookie = cookies.get(name);
      return cookie === undefined ? [] : [cookie.value];
    },
    write: (given) => {
      calls.push('write');
      for (const cookie of given) cookies.set(cookie.name, cookie);
    },
    whyReadOnly: () => reason,
  };
  const session = await instance.manager.load(jar);
  session.userId = '42';
  await session.save();
  assert.equal(calls[0], 'read');
  assert.equal(calls.filter((call) => call === 'write').length, 1);
  reason = 'cookies_sent';
  const late = await another().manager.load(jar);
  assert.equal(late.userId, '42');
  await assert.rejects(
    late.destroy(),
    (error) => error instanceof SessionError && error.code === 'cookies_sent',
  );
});

test('a save after the answer has begun is stored without a cookie, except where there is no id yet', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const { bridge, instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  const cookies = { ...Object.fromEntries(browser.cookies) };
  const jarOf = (values: Record<string, string>): CookieJar => ({
    read: (name) => (values[name] === undefined ? [] : [values[name]]),
    write: () => assert.fail('nothing can be set any more'),
    whyReadOnly: () => 'cookies_sent',
  });
  const late = await another().manager.load(jarOf(cookies));
  late.views = 1;
  await late.save();
  await late.update((data) => (data.views = (data.views ?? 0) + 1));
  assert.equal([...bridge.items.values()][0]?.version, 3);
  assert.equal(warn.mock.callCount(), 1);
  const refused = { code: 'cookies_sent' };
  await assert.rejects(late.regenerate(), refused);
  const stranger = await instance.manager.load(jarOf({}));
  stranger.views = 1;
  await assert.rejects(stranger.save(), refused);
  assert.equal(bridge.items.size, 1);
});

test('a save after the answer has begun fails in an outage, for no cookie can carry it', async (t) => {
  t.mock.method(console, 'warn', () => undefined);
  const { net, instance, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  const late = await instance.manager.load({
    read: (name) => [browser.cookies.get(name) ?? ''],
    write: () => assert.fail('nothing can be set any more'),
    whyReadOnly: () => 'cookies_sent',
  });
  net.set('refuse');
  late.views = 1;
  await assert.rejects(late.save(), { code: 'bridge_unavailable' });
  assert.equal(instance.told('fallback').length, 0);
});

test('a save that nobody waited for, and that changes nothing, does not complain about a logout', async () => {
  const { instance, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  await visit(instance, browser, async (session) => {
    const ended = session.destroy();
    await session.save();
    await ended;
    session.views = 1;
    await assert.rejects(session.save(), { code: 'session_destroyed' });
  });
});

test('a session is confirmed with its unsaved changes', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.userId = '42'));
  const { manager } = instance;
  const jar: CookieJar = { read: (name) => [browser.cookies.get(name) ?? ''], write: () => undefined };
  const session = await manager.load(jar);
  session.cart = ['apple'];
  const other = another();
  await change(other, browser.clone(), (theirs) => (theirs.views = 7));
  await manager.confirm(session);
  assert.deepEqual({ ...session }, { userId: '42', views: 7, cart: ['apple'] });
});

test('cookies are appended beside those of others', () => {
  const headers = new Headers({ 'cache-control': 'public, max-age=60' });
  headers.append('set-cookie', 'a=1; Path=/');
  const cookie: SessionCookie = {
    name: '__Host-s',
    value: 'x',
    httpOnly: true,
    secure: true,
    sameSite: 'lax',
    path: '/',
  };
  appendCookies(headers, [cookie]);
  appendCookies(headers, [{ ...cookie, value: 'y' }]);
  assert.deepEqual(headers.getSetCookie(), [
    'a=1; Path=/',
    '__Host-s=y; Path=/; HttpOnly; Secure; SameSite=Lax',
  ]);
  assert.equal(headers.get('cache-control'), 'private, no-store');
});

test('a read that finds a newer version raises the browser’s floor', async () => {
  const { instance, another, browser } = setUp();
  await change(instance, browser, (session) => (session.views = 1));
  const tab = browser.clone();
  await change(instance, browser, (session) => (session.views = 2));
  await look(another(), tab);
  assert.match(tab.at ?? '', /^\d\.2\./);
});

test('after an outage the same request may ask again', async () => {
  const { net, instance, another, browser } = setUp();
  await change(another(), browser, (session) => (session.userId = '42'));
  net.set('refuse');
  const request = browser.request();
  await assert.rejects(instance.manager.getSession(request), { name: 'SessionUnavailableError' });
  net.set(null);
  const session = await instance.manager.getSession(request);
  assert.equal(session.userId, '42');
});

test('no event, error or log shows an id, a seal or a secret', async () => {
  const { net, instance, another, browser } = setUp({ fallback: 'none' });
  const errors: unknown[] = [];
  await change(instance, browser, (session) => (session.views = 1));
  const { ref } = await visit(instance, browser, (session) => session.meta);
  const secrets = [ref?.slice(0, 32), browser.who?.slice(0, 60), BRIDGE_SECRET];
  net.set('refuse');
  for (const failing of [
    () => look(another(), browser),
    () => change(instance, browser, (session) => (session.views = 2)),
    () => visit(instance, browser, (session) => session.destroy()),
  ]) {
    await failing().catch((error: unknown) => errors.push(error));
  }
  assert.equal(errors.length, 3);
  const { inspect } = await import('node:util');
  const told = inspect([errors, instance.events], { depth: 10 });
  for (const secret of secrets) {
    assert.ok(secret !== undefined && !told.includes(secret));
  }
});

test('what onEvent throws harms nobody', async () => {
  const { net, browser } = setUp();
  const instance = createInstance(net.fetch, {
    onEvent: () => {
      throw new Error('a defect in the logging');
    },
  });
  await change(instance, browser, (session) => (session.userId = '42'));
  assert.deepEqual(await look(instance, browser), { userId: '42' });
});

test('making a manager does nothing yet', (t) => {
  const random = t.mock.method(crypto, 'getRandomValues');
  const derive = t.mock.method(crypto.subtle, 'importKey');
  const now = t.mock.method(Date, 'now');
  const timer = t.mock.method(globalThis, 'setTimeout');
  const { net } = setUp();
  assert.equal(net.count, 0);
  for (const { mock } of [random, derive, now, timer]) assert.equal(mock.callCount(), 0);
});

test('the core imports nothing from Node', () => {
  const sources = globSync('packages/client/src/*.ts').filter(
    (file) => !/\/(next|node)[a-z-]*\.ts$/.test(file),
  );
  assert.ok(sources.length > 30);
  for (const file of sources) {
    const imports = [...readFileSync(file, 'utf8').matchAll(/from '([^']+)'/g)].map(([, name]) => name ?? '');
    const outside = imports.filter((name) => !name.startsWith('./'));
    const allowed = ['cookie', 'iron-session', 'jose', 'lru-cache'];
    assert.deepEqual(
      outside.filter((name) => !allowed.includes(name)),
      [],
      file,
    );
  }
});
