import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NextRequest, NextResponse, type NextFetchEvent } from 'next/server.js';
import type { Guard } from '../../packages/client/src/next-proxy.ts';
import { BRIDGE_SECRET, TestClock } from '../support/client-instance.ts';
import { FakeNext, FakeRequest, take } from '../support/fake-next.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';

const DAY = 86_400;

/** A visitor whose cookies are past half of their lifetime, so that they are due to be renewed. */
async function setUp(): Promise<{ next: FakeNext; net: FaultyFetch; cookies: Map<string, string> }> {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const net = new FaultyFetch(bridge.fetch);
  const clock = new TestClock();
  const next = new FakeNext({ fetch: net.fetch, clock, cookie: { maxAge: DAY }, ttl: 10 * DAY });
  const cookies = new Map<string, string>([['theme', 'dark']]);
  next.current = new FakeRequest(cookies);
  await (await next.sessions.getSession()).update((data) => (data.userId = '42'));
  take(cookies, next.current.setCookies);
  clock.advance(0.6 * DAY);
  return { next, net, cookies };
}

interface Passage {
  readonly response: Response;
  /** What the browser has after it. */
  readonly cookies: Map<string, string>;
  /** The Cookie header that handlers of the same request see; null when it is passed on unchanged. */
  readonly forwarded: string | null;
}

async function pass(
  next: FakeNext,
  cookies: ReadonlyMap<string, string>,
  { guard, init = {} }: { guard?: Guard; init?: { method?: string; headers?: Record<string, string> } } = {},
): Promise<Passage> {
  const header = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const request = new NextRequest('https://app.example/members', {
    method: init.method ?? 'GET',
    headers: { host: 'app.example', cookie: header, ...init.headers },
  });
  next.current = new FakeRequest(cookies);
  const background: Promise<unknown>[] = [];
  // Only this method of the event is used.
  const event = { waitUntil: (work: Promise<unknown>) => void background.push(work) } as NextFetchEvent;
  const response = await next.sessions.sessionProxy(guard)(request, event);
  await Promise.all(background);
  const after = new Map(cookies);
  take(after, response.headers);
  return { response, cookies: after, forwarded: response.headers.get('x-middleware-request-cookie') };
}

test('cookies that are due are renewed for the browser, and for whoever handles the same request', async () => {
  const { next, cookies } = await setUp();
  const { response, cookies: after, forwarded } = await pass(next, cookies);
  const seal = after.get('__Host-session');
  assert.notEqual(seal, cookies.get('__Host-session'));
  assert.deepEqual(
    response.headers.getSetCookie().map((line) => line.split('=', 1)[0]),
    ['__Host-session', '__Host-session-at'],
  );
  assert.equal(
    forwarded,
    `theme=dark; __Host-session=${seal}; __Host-session-at=${after.get('__Host-session-at')}`,
  );
  assert.equal(response.headers.get('x-middleware-next'), '1');
  assert.match(response.headers.get('x-middleware-override-headers') ?? '', /\bcookie\b/);
  assert.match(response.headers.get('x-middleware-set-cookie') ?? '', /__Host-session=/);
  assert.equal(response.headers.get('cache-control'), 'private, no-store');
});

test('when nothing is due the request passes untouched', async () => {
  const { next, cookies } = await setUp();
  const { cookies: renewed } = await pass(next, cookies);
  const { response, forwarded } = await pass(next, renewed);
  assert.deepEqual(response.headers.getSetCookie(), []);
  assert.equal(forwarded, null);
  assert.equal(response.headers.get('x-middleware-next'), '1');
});

test('prefetches, and requests whose handlers set cookies themselves, get no renewed cookies', async () => {
  const { next, cookies } = await setUp();
  const inits = [
    { headers: { purpose: 'prefetch' } },
    { headers: { 'sec-purpose': 'prefetch;prerender' } },
    { headers: { 'next-router-prefetch': '1' } },
    { method: 'POST' },
  ];
  for (const init of inits) {
    const guard: Guard = async (request) => {
      assert.equal((await next.sessions.getSession(request)).userId, '42');
    };
    const { response } = await pass(next, cookies, { guard, init });
    assert.deepEqual(response.headers.getSetCookie(), []);
  }
});

test('what a guard saves is set on every request, and seen by the handler', async () => {
  const { next, cookies } = await setUp();
  const guard: Guard = async (request) => {
    await (await next.sessions.getSession(request)).update((data) => (data.views = 1));
  };
  const { cookies: after, forwarded } = await pass(next, cookies, { guard, init: { method: 'POST' } });
  assert.match(after.get('__Host-session-at') ?? '', /^\d\.2\./);
  assert.ok(forwarded?.includes(`__Host-session-at=${after.get('__Host-session-at')}`));
});

test('of a seal that came twice, the handler gets the one whose session it is', async () => {
  const { next, cookies: due } = await setUp();
  const { cookies } = await pass(next, due);
  const seal = cookies.get('__Host-session');
  const guard: Guard = async (request) => {
    await (await next.sessions.getSession(request)).update((data) => (data.views = 1));
  };
  const cookie = [...cookies, ['__Host-session', 'another'], ['__Host-session-at', '9.9.x']]
    .map((pair) => pair.join('='))
    .join('; ');
  const passage = await pass(next, cookies, { guard, init: { method: 'POST', headers: { cookie } } });
  const hint = passage.cookies.get('__Host-session-at');
  assert.equal(passage.forwarded, `theme=dark; __Host-session=${seal}; __Host-session-at=${hint}`);
});

test('a guard’s session is the one that is renewed, by whichever call it asks', async () => {
  const { next, net, cookies } = await setUp();
  const before = net.count;
  const guard: Guard = async (request) => {
    const { getSession } = next.sessions;
    assert.equal(await getSession(request), await getSession());
  };
  await pass(next, cookies, { guard });
  assert.equal(net.count, before + 1);
});

test('a guard’s redirect and its own answers carry the cookies', async () => {
  const { next, cookies } = await setUp();
  for (const answer of [
    () => NextResponse.redirect('https://app.example/login'),
    () => Response.redirect('https://app.example/login', 307),
  ]) {
    const { response, forwarded } = await pass(next, cookies, { guard: answer });
    assert.equal(response.status, 307);
    assert.equal(response.headers.get('location'), 'https://app.example/login');
    assert.equal(response.headers.getSetCookie().length, 2);
    assert.equal(forwarded, null);
  }
  const guard: Guard = () =>
    Response.json({ error: 'no' }, { status: 403, headers: { 'set-cookie': 'a=1' } });
  const { response } = await pass(next, cookies, { guard });
  assert.equal(response.status, 403);
  assert.deepEqual(await response.json(), { error: 'no' });
  assert.equal(response.headers.getSetCookie().length, 3);
});

test('a guard’s rewrite and its own request headers are kept beside the cookies', async () => {
  const { next, cookies } = await setUp();
  const guard: Guard = (request) => {
    const headers = new Headers(request.headers);
    headers.set('x-tenant', 'one');
    return NextResponse.rewrite('https://app.example/other', { request: { headers } });
  };
  const { response, cookies: after, forwarded } = await pass(next, cookies, { guard });
  assert.equal(response.headers.get('x-middleware-rewrite'), 'https://app.example/other');
  assert.equal(response.headers.get('x-middleware-next'), null);
  assert.equal(response.headers.get('x-middleware-request-x-tenant'), 'one');
  const listed = response.headers.get('x-middleware-override-headers')?.split(',') ?? [];
  assert.ok(listed.includes('x-tenant') && listed.includes('cookie') && listed.includes('host'));
  assert.ok(forwarded?.includes(`__Host-session=${after.get('__Host-session')}`));
});

test('cookies that a guard sets stay as it has written them', async () => {
  const { next, cookies } = await setUp();
  const lines = ['old=; Path=/shop; Max-Age=0', 'old="q r"; Path=/; Priority=High', 'b=x%2Fy+z'];
  const { response } = await pass(next, cookies, {
    guard: () => {
      const answer = NextResponse.next();
      answer.cookies.set('theme', 'light');
      for (const line of lines) answer.headers.append('set-cookie', line);
      return answer;
    },
  });
  const set = response.headers.getSetCookie();
  assert.deepEqual(set.slice(0, 4), ['theme=light; Path=/', ...lines]);
  assert.deepEqual(
    set.slice(4).map((line) => line.split('=', 1)[0]),
    ['__Host-session', '__Host-session-at'],
  );
  const told = response.headers.get('x-middleware-set-cookie') ?? '';
  assert.match(told, /^theme=light; Path=\/,__Host-session=Fe26.*,__Host-session-at=/);
});

test('a session that is ended in a guard is gone for the browser and for the handler', async () => {
  const { next, cookies } = await setUp();
  const guard: Guard = async (request) => {
    await (await next.sessions.getSession(request)).destroy();
  };
  const { cookies: after, forwarded } = await pass(next, cookies, { guard });
  assert.deepEqual([...after.keys()], ['theme']);
  assert.equal(forwarded, 'theme=dark');
});

test('an outage lets the request pass, with its cookies as they are', async () => {
  const { net, cookies } = await setUp();
  net.set('refuse');
  const stranger = new FakeNext({ fetch: net.fetch });
  const { response, forwarded } = await pass(stranger, cookies);
  assert.equal(response.headers.get('x-middleware-next'), '1');
  assert.deepEqual(response.headers.getSetCookie(), []);
  assert.equal(forwarded, null);
});

test('a misconfigured proxy says so', async () => {
  await assert.rejects(pass(new FakeNext({ secret: '' }), new Map()), TypeError);
});

test('where the cookie store is not known, the request stands for itself', async () => {
  const { next, cookies } = await setUp();
  next.cookies = async () => {
    throw new Error('`cookies` was called outside a request scope.');
  };
  const guard: Guard = async (request) => {
    assert.equal((await next.sessions.getSession(request)).userId, '42');
  };
  const { response } = await pass(next, cookies, { guard });
  assert.equal(response.headers.getSetCookie().length, 2);
});
