import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NextRequest } from 'next/server.js';
import type { SessionCookie, SessionOptions } from '../../packages/client/src/index.ts';
import { BRIDGE_SECRET, type Data } from '../support/client-instance.ts';
import { FakeNext, FakeRequest, take, type Phase } from '../support/fake-next.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';

const READ_ONLY = { code: 'read_only' };

/** A site with a visitor. */
class Site {
  readonly bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  readonly net = new FaultyFetch(this.bridge.fetch);
  readonly cookies = new Map<string, string>();
  readonly #options: SessionOptions<Data>;
  readonly next: FakeNext;

  constructor(options: SessionOptions<Data> = {}) {
    this.#options = options;
    this.next = this.another();
  }

  /** Another instance. */
  another(): FakeNext {
    return new FakeNext({ fetch: this.net.fetch, ...this.#options });
  }

  /** One request; the visitor's browser takes its cookies. */
  async visit<R>(phase: Phase, work: (request: FakeRequest) => Promise<R>, next = this.next): Promise<R> {
    const request = new FakeRequest(this.cookies, phase);
    next.current = request;
    try {
      return await work(request);
    } finally {
      next.current = null;
      take(this.cookies, request.setCookies);
    }
  }

  /** A visitor who is known already. */
  async logIn(): Promise<void> {
    await this.visit('action', async () => {
      const session = await this.next.sessions.getSession();
      session.userId = '42';
      await session.save();
    });
  }

  read(next = this.next): Promise<Data> {
    return this.visit('render', async () => ({ ...(await next.sessions.getSession()) }), next);
  }
}

function error(digest: string): Error {
  return Object.assign(new Error(digest), { digest });
}

test('a session saved in a handler is read in a server component, on another instance too', async () => {
  const site = new Site();
  await site.visit('action', async ({ headers }) => {
    const request = new NextRequest('https://app.example/api', { headers });
    const session = await site.next.sessions.getSession(request);
    session.userId = '42';
    await session.save();
  });
  assert.deepEqual([...site.cookies.keys()].toSorted(), ['__Host-session', '__Host-session-at']);
  assert.deepEqual(await site.read(), { userId: '42' });
  assert.deepEqual(await site.read(site.another()), { userId: '42' });
});

test('one request has one session object and one load, however it is asked for', async () => {
  const site = new Site({ maxStale: 0 });
  await site.logIn();
  const before = site.net.count;
  await site.visit('action', async ({ headers }) => {
    const { getSession } = site.next.sessions;
    const request = new NextRequest('https://app.example/', { headers });
    const all = await Promise.all([getSession(), getSession(request), getSession(), getSession(request)]);
    for (const session of all) assert.equal(session, all[0]);
  });
  assert.equal(site.net.count, before + 1);
});

test('a server component reads the session and can change nothing of it', async () => {
  const site = new Site();
  await site.visit('action', async () => {
    const session = await site.next.sessions.getSession();
    session.cart = ['apple'];
    await session.save();
  });
  await site.visit('render', async () => {
    const session = await site.next.sessions.getSession();
    assert.deepEqual({ ...session }, { cart: ['apple'] });
    assert.equal(session.meta.version, 1);
    assert.throws(() => (session.userId = '42'), READ_ONLY);
    assert.throws(() => delete session.cart, READ_ONLY);
    assert.throws(() => session.cart?.push('pear'), TypeError);
    await assert.rejects(session.save(), READ_ONLY);
    await assert.rejects(session.destroy(), READ_ONLY);
    await assert.rejects(session.regenerate(), READ_ONLY);
    await assert.rejects(
      session.update(() => assert.fail('nothing may be changed')),
      READ_ONLY,
    );
    assert.deepEqual({ ...session }, { cart: ['apple'] });
  });
});

test('a place counts as one that takes cookies only when it asks for the name of the one that is to be set', async () => {
  const site = new Site();
  await site.logIn();
  await site.visit('action', async (request) => {
    const set = (): never => {
      throw new TypeError('These cookies cannot be changed.');
    };
    site.next.cookies = async () => ({ get: request.store.get, set });
    const session = await site.next.sessions.getSession();
    assert.equal(session.userId, '42');
    assert.throws(() => (session.views = 1), READ_ONLY);
    await assert.rejects(session.save(), READ_ONLY);
  });
});

test('a server component that asks for a fresh session sees what others have saved, in the same object', async () => {
  const site = new Site({ maxStale: Infinity });
  await site.logIn();
  await site.read();
  const other = site.another();
  const tab = new Map(site.cookies);
  await site.visit(
    'action',
    async () => (await other.sessions.getSession()).update((data) => (data.views = 1)),
    other,
  );
  site.cookies.clear();
  for (const [name, value] of tab) site.cookies.set(name, value);
  await site.visit('render', async () => {
    const session = await site.next.sessions.getSession();
    assert.equal(session.views, undefined);
    assert.equal(await site.next.sessions.getSession({ fresh: true }), session);
    assert.equal(session.views, 1);
    assert.throws(() => (session.views = 2), READ_ONLY);
  });
});

test('a handler that asks for a fresh session keeps what it has changed', async () => {
  const site = new Site({ maxStale: Infinity });
  await site.logIn();
  await site.visit('action', async () => {
    const session = await site.next.sessions.getSession();
    session.cart = ['apple'];
    assert.equal(await site.next.sessions.getSession({ fresh: true }), session);
    assert.deepEqual({ ...session }, { userId: '42', cart: ['apple'] });
  });
});

test('the render that follows an action sees what the action saved or ended', async () => {
  const site = new Site();
  await site.logIn();
  await site.visit('action', async (request) => {
    await (await site.next.sessions.getSession()).update((data) => (data.views = 1));
    request.enter('render');
    assert.equal((await site.next.sessions.getSession()).views, 1);
  });
  await site.visit('action', async (request) => {
    await (await site.next.sessions.getSession()).regenerate();
    request.enter('render');
    assert.equal((await site.next.sessions.getSession()).userId, '42');
  });
  await site.visit('action', async (request) => {
    await (await site.next.sessions.getSession()).destroy();
    request.enter('render');
    assert.deepEqual({ ...(await site.next.sessions.getSession()) }, {});
  });
  assert.equal(site.cookies.size, 0);
});

test('cookies that an action has cleared by itself name nobody in the render that follows', async () => {
  const site = new Site();
  await site.logIn();
  await site.visit('action', async (request) => {
    for (const name of site.cookies.keys()) {
      const cleared = {
        name,
        value: '',
        maxAge: 0,
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'lax',
      };
      request.store.set(cleared as SessionCookie);
    }
    request.enter('render');
    assert.deepEqual({ ...(await site.next.sessions.getSession()) }, {});
  });
});

test('a cookie that comes twice gives one session, and each cookie is set once', async () => {
  const site = new Site();
  await site.logIn();
  for (const forged of ['Fe26.2*forged', '%zz', 'a%41']) {
    const request = new FakeRequest(site.cookies);
    const header = request.headers.get('cookie') ?? '';
    for (const twice of [`${header}; __Host-session=${forged}`, `__Host-session=${forged}; ${header}`]) {
      request.headers.set('cookie', twice);
      site.next.current = request;
      request.enter('action');
      const session = await site.next.sessions.getSession();
      assert.equal(session.userId, '42', twice.slice(-40));
    }
  }
  await site.visit('action', async (request) => {
    const session = await site.next.sessions.getSession();
    await session.update((data) => (data.views = 1));
    await session.update((data) => (data.views = 2));
    assert.deepEqual([...request.answered.keys()], ['__Host-session-at']);
  });
});

test('nothing comes before cookies(): a prerender that never settles sees no clock, no randomness, no request', async (t) => {
  const site = new Site();
  site.next.cookies = () => new Promise(() => undefined);
  const spies = [
    t.mock.method(Date, 'now'),
    t.mock.method(crypto, 'getRandomValues'),
    t.mock.method(crypto.subtle, 'importKey'),
    t.mock.method(globalThis, 'setTimeout'),
  ];
  void site.next.sessions.getSession();
  void site.next.sessions.withSession(() => assert.fail('the handler may not run'))();
  await new Promise((resolve) => setImmediate(resolve));
  for (const { mock } of spies) assert.equal(mock.callCount(), 0);
  assert.equal(site.net.count, 0);
});

test('what Next.js throws to end a prerender is passed on', async () => {
  const site = new Site();
  site.next.cookies = async () => {
    throw error('DYNAMIC_SERVER_USAGE');
  };
  const request = new NextRequest('https://app.example/');
  await assert.rejects(site.next.sessions.getSession(), { digest: 'DYNAMIC_SERVER_USAGE' });
  await assert.rejects(site.next.sessions.getSession(request), { digest: 'DYNAMIC_SERVER_USAGE' });
});

test('options are checked when the first session is asked for, because builds have no secrets', async () => {
  const next = new FakeNext({ secret: 'short' });
  next.current = new FakeRequest(new Map());
  await assert.rejects(next.sessions.getSession(), TypeError);
});

test('where Next.js knows no request, the request itself must do', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const handler = withSession(async (request: Request) => {
    (await getSession(request)).userId = '42';
    return new Response('done');
  });
  const response = await handler(new Request('https://app.example/'));
  take(site.cookies, response.headers);
  assert.equal(site.cookies.size, 2);
  await assert.rejects(getSession(), Error);
});

test('after an outage the same request may ask again', async () => {
  const site = new Site();
  await site.logIn();
  const other = site.another();
  await site.visit(
    'action',
    async () => {
      site.net.set('refuse');
      await assert.rejects(other.sessions.getSession(), { name: 'SessionUnavailableError' });
      site.net.set(null);
      assert.equal((await other.sessions.getSession()).userId, '42');
    },
    other,
  );
});

test('with cookies that are not Secure, one warning is given by all copies of the module together', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const site = new Site({ holder: {} });
  for (const next of [site.next, site.another(), site.another()]) {
    const request = new FakeRequest(site.cookies);
    request.headers.set('host', 'localhost:3000');
    next.current = request;
    const session = await next.sessions.getSession();
    await session.update((data) => (data.views = (data.views ?? 0) + 1));
    take(site.cookies, request.setCookies);
  }
  assert.deepEqual([...site.cookies.keys()], ['session', 'session-at']);
  assert.equal(warn.mock.callCount(), 1);
});

test('a wrapped action is saved when it returns', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const action = withSession(async (userId: string) => {
    (await getSession()).userId = userId;
    return userId.length;
  });
  assert.equal(action.constructor.name, 'AsyncFunction');
  assert.equal(await site.visit('action', () => action('42')), 2);
  assert.deepEqual(await site.read(), { userId: '42' });
});

test('a wrapped handler is saved when it redirects, and not when it fails or finds nothing', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const act = (userId: string, digest: string): Promise<void> =>
    site.visit(
      'action',
      withSession(async () => {
        (await getSession()).userId = userId;
        throw error(digest);
      }),
    );
  for (const digest of ['NEXT_HTTP_ERROR_FALLBACK;404', '1234567']) {
    await assert.rejects(act('lost', digest), { digest });
    assert.deepEqual(await site.read(), {});
  }
  await assert.rejects(act('42', 'NEXT_REDIRECT;push;/;307;'), { digest: 'NEXT_REDIRECT;push;/;307;' });
  assert.deepEqual(await site.read(), { userId: '42' });
});

test('an answer that sets cookies is not to be cached, and one that sets none is passed on as it is', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const plain = new Response('plain');
  assert.equal(
    await site.visit(
      'action',
      withSession(async () => plain),
    ),
    plain,
  );
  const redirect = await site.visit(
    'action',
    withSession(async () => {
      (await getSession()).userId = '42';
      return Response.redirect('https://app.example/', 303);
    }),
  );
  assert.equal(redirect.status, 303);
  assert.equal(redirect.headers.get('location'), 'https://app.example/');
  assert.equal(redirect.headers.get('cache-control'), 'private, no-store');
});

test('of wrapped handlers within each other the outer one saves', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const inner = withSession(async () => void ((await getSession()).views = 1));
  const outer = withSession(async () => {
    await inner();
    const session = await getSession();
    assert.equal(session.meta.version, 0);
    session.userId = '42';
  });
  await site.visit('action', outer);
  assert.deepEqual(await site.read(), { userId: '42', views: 1 });
});

test('wrapped functions that one action calls, one after the other or at once, save all that they change', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const logIn = withSession(async () => void ((await getSession()).userId = '42'));
  const count = withSession(async () => {
    const session = await getSession();
    await new Promise(setImmediate);
    session.views = (session.views ?? 0) + 1;
  });
  await site.visit('action', async () => {
    await logIn();
    await count();
  });
  assert.deepEqual(await site.read(), { userId: '42', views: 1 });
  const fill = withSession(async () => void ((await getSession()).cart = ['apple']));
  await site.visit('action', () => Promise.all([fill(), count()]));
  assert.deepEqual(await site.read(site.another()), { userId: '42', views: 2, cart: ['apple'] });
});

test('a wrapped action saves also when it does not wait for another one that it calls', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  let finish = (): void => undefined;
  const slow = withSession(() => new Promise<void>((resolve) => (finish = resolve)));
  const running: Promise<unknown>[] = [];
  const outer = withSession(async () => {
    running.push(slow());
    (await getSession()).userId = '42';
  });
  await site.visit('action', outer);
  assert.deepEqual(await site.read(), { userId: '42' });
  finish();
  await Promise.all(running);
});

test('an action that goes on after a wrapped function still sets cookies', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const look = withSession(async () => (await getSession()).userId);
  await site.visit('action', async () => {
    assert.equal(await look(), undefined);
    const session = await getSession();
    session.userId = '42';
    await session.save();
  });
  assert.deepEqual(await site.read(), { userId: '42' });
});

test('a write that a second wrapped function hands over is armed with it', async () => {
  const site = new Site({ backup: 'after' });
  await site.logIn();
  const { getSession, withSession } = site.next.sessions;
  const count = withSession(async () => {
    const session = await getSession();
    session.views = (session.views ?? 0) + 1;
  });
  await site.visit('action', async () => {
    await count();
    // Its write is done before the next one begins, which otherwise would be awaited.
    await site.next.afterwards[0]?.();
    await count();
  });
  assert.equal(site.next.afterwards.length, 2);
  await site.next.afterwards[1]?.();
  assert.deepEqual(await site.read(site.another()), { userId: '42', views: 2 });
});

test('a wrapped function that a server component calls saves nothing', async () => {
  const site = new Site();
  await site.logIn();
  const { getSession, withSession } = site.next.sessions;
  const read = withSession(async () => (await getSession()).userId);
  assert.equal(await site.visit('render', read), '42');
});

test('a write handed over is armed only when the wrapped handler is done', async () => {
  const site = new Site({ backup: 'after' });
  await site.logIn();
  const { getSession, withSession } = site.next.sessions;
  await site.visit(
    'action',
    withSession(async () => {
      const session = await getSession();
      session.views = 1;
      await session.save();
      assert.equal(site.next.afterwards.length, 0);
    }),
  );
  assert.equal(site.next.afterwards.length, 1);
  await site.next.afterwards[0]?.();
  assert.equal([...site.bridge.items.values()][0]?.version, 2);
});

test('without a wrapper every write is awaited, and after() is never armed', async () => {
  const site = new Site({ backup: 'after' });
  await site.logIn();
  await site.visit('action', async () => {
    const session = await site.next.sessions.getSession();
    session.views = 1;
    await session.save();
  });
  assert.equal([...site.bridge.items.values()][0]?.version, 2);
  assert.equal(site.next.afterwards.length, 0);
});

test('what a stream saves after its wrapped handler has returned is stored, and a new session is refused', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const stream = async (): Promise<void> => {
    let late = async (): Promise<void> => undefined;
    await site.visit(
      'action',
      withSession(async () => {
        const session = await getSession();
        late = async () => void (await session.update((data) => (data.views = 7)));
        return new Response();
      }),
    );
    await late();
  };
  await assert.rejects(stream(), { code: 'cookies_sent' });
  await site.logIn();
  await stream();
  assert.equal(warn.mock.callCount(), 1);
  assert.deepEqual(await site.read(site.another()), { userId: '42', views: 7 });
});

test('a callback of after() can read the session, and what it got before it can still be saved', async (t) => {
  t.mock.method(console, 'warn', () => undefined);
  const site = new Site();
  await site.logIn();
  await site.visit('action', async (request) => {
    const early = await site.next.sessions.getSession();
    request.enter('after');
    const late = await site.next.sessions.getSession();
    assert.equal(late.userId, '42');
    await assert.rejects(late.save(), READ_ONLY);
    early.views = 1;
    await early.save();
  });
  assert.deepEqual(await site.read(site.another()), { userId: '42', views: 1 });
});

test('in the Pages Router the cookies go to the answer, beside those of others', async () => {
  const site = new Site();
  const { getSession, withSession } = site.next.sessions;
  const headers = new Map<string, number | string | readonly string[]>([['Set-Cookie', 'theme=dark']]);
  const response = {
    headersSent: false,
    getHeader: (name: string) => headers.get(name),
    setHeader: (name: string, value: string | readonly string[]) => headers.set(name, value),
  };
  const request = { headers: { host: 'app.example' } };
  const session = await getSession(request, response);
  assert.equal(await getSession(request, response), session);
  session.userId = '42';
  await session.save();
  await session.update((data) => (data.views = 1));
  const lines = headers.get('Set-Cookie');
  assert.ok(Array.isArray(lines));
  assert.deepEqual(
    lines.map((line: string) => line.split('=', 1)[0]),
    ['theme', '__Host-session', '__Host-session-at'],
  );
  assert.equal(headers.get('Cache-Control'), 'private, no-store');
  take(site.cookies, new Headers(lines.map((line: string): [string, string] => ['set-cookie', line])));
  assert.deepEqual(await site.read(site.another()), { userId: '42', views: 1 });
  response.headersSent = true;
  await assert.rejects(session.destroy(), { code: 'cookies_sent' });
  await assert.rejects(withSession(async (..._: unknown[]) => null)(request, response), TypeError);
  // As JavaScript could call it.
  assert.throws(() => getSession(request as never, undefined as never), TypeError);
});
