import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { Breaker } from '../../packages/client/src/breaker.ts';
import { DeferredOperations } from '../../packages/client/src/deferred.ts';
import {
  SessionError,
  SessionUnavailableError,
  type Clock,
  type Fetch,
} from '../../packages/client/src/index.ts';
import { HEADERS, type BatchOperation } from '../../packages/client/src/protocol.ts';
import { Transport } from '../../packages/client/src/transport.ts';
import { systemRandom } from '../../packages/client/src/platform.ts';
import { BRIDGE_SECRET, TestClock } from '../support/client-instance.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { waitUntil } from '../support/wait.ts';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';
const PUT: BatchOperation = { method: 'PUT', ref: ID, version: 1, ifNoneMatch: '*', ttl: 60, record: 'r1' };
const GET: BatchOperation = { method: 'GET', ref: `${ID}.0` };

interface SetUp {
  readonly bridge: MemoryBridge;
  readonly net: FaultyFetch;
  readonly clock: TestClock;
  readonly start: (given?: {
    urls?: string[];
    timeoutMs?: number;
    maxInFlight?: number;
    fetch?: Fetch;
    clock?: Clock;
    breakers?: Map<string, Breaker>;
    deferred?: DeferredOperations;
  }) => Transport;
}

function setUp(): SetUp {
  // Whether a bridge is probed must not depend on how fast the test runs.
  const clock = new TestClock({ isStill: true });
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] }, now: () => clock.now() });
  const net = new FaultyFetch(bridge.fetch);
  const start: SetUp['start'] = ({
    urls = ['http://a.test'],
    // A slow machine is no outage.
    timeoutMs = 10_000,
    maxInFlight = 64,
    fetch,
    clock: timers = clock,
    breakers = new Map(),
    deferred = new DeferredOperations(),
  } = {}) =>
    new Transport({
      app: 'default',
      breakers,
      deferred,
      bridgeUrls: urls,
      bridgeSecret: BRIDGE_SECRET,
      bridgeToken: null,
      timeoutMs,
      maxInFlight,
      maxRecordBytes: 1000,
      fetch: fetch ?? net.fetch,
      clock: timers,
      wallClock: clock,
      random: systemRandom,
    });
  return { bridge, net, clock, start };
}

function fails(code: SessionError['code']): (error: unknown) => boolean {
  return (error) => error instanceof SessionUnavailableError && error.code === code;
}

function idOf(number: number): string {
  return number.toString(16).toUpperCase().padStart(32, '0');
}

test('every request has no-store, a signal and manual redirects', async () => {
  const { bridge, start } = setUp();
  const seen: RequestInit[] = [];
  const transport = start({
    fetch: (url, init) => {
      seen.push(init);
      return bridge.fetch(url, init);
    },
  });
  await transport.send(PUT);
  assert.equal(seen[0]?.cache, 'no-store');
  assert.equal(seen[0]?.redirect, 'manual');
  assert.ok(seen[0]?.signal instanceof AbortSignal);
});

test('the token says who asks, for five minutes, and is renewed ahead of its end', async () => {
  const { bridge, clock, start } = setUp();
  const transport = start();
  await transport.send(PUT);
  const first = tokenOf(bridge);
  assert.equal(decodeProtectedHeader(first).alg, 'HS256');
  const { iss, aud, scope, iat, exp } = decodeJwt(first);
  assert.deepEqual({ iss, aud, scope }, { iss: 'default', aud: 'memsession-bridge', scope: 'session' });
  assert.equal(Number(exp) - Number(iat), 300);
  clock.advance(200);
  await transport.send(GET);
  assert.equal(tokenOf(bridge), first);
  clock.advance(20);
  await transport.send(GET);
  // The old one is still good, and used while the next is made.
  assert.equal(tokenOf(bridge), first);
  const isRenewed = async (): Promise<boolean> => {
    await transport.send(GET);
    return tokenOf(bridge) !== first;
  };
  await waitUntil(isRenewed, 'the token is renewed');
  clock.advance(1000);
  await transport.send(GET);
  assert.ok(Number(decodeJwt(tokenOf(bridge)).exp) * 1000 > clock.now());
});

test('operations that wait in the same turn leave as one batch; one alone uses its own path', async () => {
  const { bridge, start } = setUp();
  const transport = start();
  const puts = [1, 2, 3].map((n) => transport.send({ ...PUT, ref: idOf(n) }));
  const answers = await Promise.all([...puts, transport.send({ method: 'GET', ref: idOf(4) })]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 201, 404],
  );
  assert.equal(bridge.requests.length, 1);
  assert.equal(new URL(bridge.requests[0]?.url ?? '').pathname, '/v1/batch');
  await transport.send({ ...GET, ref: `${idOf(1)}.0` });
  assert.equal(new URL(bridge.requests[1]?.url ?? '').pathname, `/v1/sessions/${idOf(1)}.0`);
});

test('one failure in a batch touches no other', async () => {
  const { start } = setUp();
  const transport = start();
  const outcomes = await Promise.allSettled([
    transport.send(PUT),
    transport.send({ ...PUT, ref: idOf(2), ttl: 0 }),
    transport.send({ ...PUT, ref: idOf(3) }),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.status : outcome.reason.code)),
    [201, 'invalid_request', 201],
  );
});

test('operations of different nodes never share a batch', async () => {
  const { bridge, start } = setUp();
  const transport = start();
  const refs = [0, 1, 2, 0, 1, 2].map((index, n) => `${idOf(n)}.${index}`);
  await Promise.all(refs.map((ref) => transport.send({ method: 'GET', ref })));
  assert.equal(bridge.requests.length, 3);
});

test('at most so many requests are in flight; what waits leaves in batches of 128 and a megabyte', async () => {
  const { bridge, net, start } = setUp();
  const transport = start({ maxInFlight: 4 });
  net.hold();
  const first = transport.send(PUT);
  await waitUntil(() => net.heldCount === 1, 'the first has arrived');
  const others = Array.from({ length: 300 }, (_, n) => transport.send({ ...PUT, ref: idOf(n + 1) }));
  await new Promise((resolve) => setImmediate(resolve));
  // One quarter of four is one for operations that name the same node, or none.
  assert.equal(bridge.requests.length, 1);
  net.release();
  const answers = await Promise.all([first, ...others]);
  assert.ok(answers.every(({ status }) => status === 201));
  assert.equal(bridge.requests.length, 1 + Math.ceil(300 / 128));

  const big = 'x'.repeat(400_000);
  await Promise.all([1, 2, 3, 4].map((n) => transport.send({ ...PUT, ref: idOf(1000 + n), record: big })));
  assert.ok(bridge.requests.every(({ body }) => body.length <= 1_000_000));
});

test('every call ends within the deadline when all bridges hang, and leaves no timer behind', async () => {
  const { net, start } = setUp();
  const clock = new FakeClock();
  const urls = ['http://a.test', 'http://b.test', 'http://c.test'];
  const transport = start({ urls, timeoutMs: 3_000, clock });
  // Makes the token, which takes time that the clock does not count.
  await transport.send(PUT);
  net.set('hang');
  const ends: number[] = [];
  const call = assert.rejects(transport.send(GET), fails('bridge_unavailable'));
  void call.finally(() => ends.push(clock.now())).catch(() => undefined);
  // A deadline for each bridge would make it 9,000.
  await clock.advance(9_000);
  await call;
  assert.deepEqual(ends, [3_000]);
  assert.equal(net.count, 1 + 3);
  assert.equal(clock.timers, 0);
});

test('a fetch that ignores its signal is left behind', async () => {
  const { start } = setUp();
  const transport = start({ fetch: () => new Promise(() => undefined), timeoutMs: 100 });
  await assert.rejects(transport.send(GET), fails('bridge_unavailable'));
});

test('a bridge that hangs leaves time for the next, and the last good one is asked first', async () => {
  const { bridge, net, start } = setUp();
  const clock = new FakeClock();
  const transport = start({ urls: ['http://a.test', 'http://b.test'], clock });
  net.set('hang', 'http://a.test');
  const first = transport.send(PUT);
  await waitUntil(() => net.count === 1, 'the first is asked');
  // The answer of the next takes time that the clock does not count.
  await clock.advance(9_999);
  await first;
  await transport.send(GET);
  assert.equal(net.count, 3);
  assert.ok(bridge.requests.every(({ url }) => url.startsWith('http://b.test')));
});

test('a bridge that cannot reach the nodes is no reason not to ask another', async () => {
  const { bridge, start } = setUp();
  const transport = start({
    urls: ['http://a.test', 'http://b.test'],
    fetch: (url, init) =>
      url.startsWith('http://a') ? refusal('nodes_unavailable', 503) : bridge.fetch(url, init),
  });
  const answer = await transport.send(PUT);
  assert.equal(answer.status, 201);
});

test('a bridge that has too much to do is not asked twice, and comes last for as long as it says', async () => {
  const { bridge, clock, start } = setUp();
  const asked: string[] = [];
  const fetch: Fetch = async (url, init) => {
    const name = url.slice(7, 8);
    asked.push(name);
    if (name === 'b') return bridge.fetch(url, init);
    const { body, status } = await refusal('overloaded', 503);
    return new Response(body, { status, headers: { 'retry-after': '3' } });
  };
  await assert.rejects(start({ urls: ['http://a.test'], fetch }).send(GET), fails('overloaded'));
  assert.deepEqual(asked.splice(0), ['a']);
  const breakers = new Map<string, Breaker>();
  const both = (): Transport => start({ urls: ['http://a.test', 'http://b.test'], fetch, breakers });
  await both().send(GET);
  assert.deepEqual(asked.splice(0), ['a', 'b']);
  await both().send(GET);
  assert.deepEqual(asked.splice(0), ['b']);
  clock.advance(4);
  await both().send(GET);
  assert.deepEqual(asked, ['a', 'b']);
});

test('after repeated failures calls fail at once, and a probe finds the bridge well again', async () => {
  const { net, clock, start } = setUp();
  const transport = start();
  net.set('refuse');
  for (let call = 0; call < 3; call += 1) await assert.rejects(transport.send(GET));
  const before = net.count;
  await assert.rejects(transport.send(GET), fails('bridge_unavailable'));
  assert.equal(net.count, before);
  clock.advance(10);
  // The call that finds it time for a probe waits for its answer, and makes no request when it is not well.
  await assert.rejects(transport.send(GET));
  assert.equal(net.count, before + 1);
  net.set(null);
  clock.advance(5);
  assert.equal((await transport.send(GET)).status, 404);
});

/** Of two bridges the first has been gone for so long that it is probed rarely; now it is back, and the second goes. */
async function changeOver(): Promise<{ readonly net: FaultyFetch; readonly transport: Transport }> {
  const { net, clock, start } = setUp();
  const urls = ['http://a.test', 'http://b.test'];
  const breakers = new Map<string, Breaker>();
  net.set('refuse', 'http://a.test');
  for (let copy = 0; copy < 5; copy += 1) await start({ urls, breakers }).send(GET);
  const transport = start({ urls, breakers });
  for (let round = 0; round < 8; round += 1) {
    const before = net.count;
    await transport.send(GET);
    clock.advance(20);
    assert.ok(net.count - before <= 2, 'the first is only probed');
  }
  await transport.send(GET);
  net.set(null, 'http://a.test');
  net.set('refuse', 'http://b.test');
  clock.advance(0.3);
  return { net, transport };
}

test('when the other bridge goes away, a bridge that is back is found within the same call', async () => {
  const { transport } = await changeOver();
  assert.equal((await transport.send(GET)).status, 404);
});

test('when the last bridge has just been given up, a call waits for the one that is being found well again', async () => {
  const { net, transport } = await changeOver();
  net.hold();
  const calls: ReturnType<Transport['send']>[] = [];
  // Requests fail at the one until it is given up, and the answer to the probe of the other is held back.
  for (let call = 0; call < 6; call += 1) {
    calls.push(transport.send(GET));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const answers = Promise.all(calls);
  await waitUntil(() => net.heldCount > 0, 'the answer to the probe is held');
  net.release();
  for (const { status } of await answers) assert.equal(status, 404);
});

test('a bridge without a second one is back within about a second, however long it was gone', async () => {
  const { net, clock, start } = setUp();
  const transport = start();
  net.set('refuse');
  for (let round = 0; round < 10; round += 1) {
    await assert.rejects(transport.send(GET));
    clock.advance(20);
  }
  await assert.rejects(transport.send(GET));
  net.set(null);
  await assert.rejects(transport.send(GET));
  clock.advance(1.1);
  assert.equal((await transport.send(GET)).status, 404);
});

test('a call that comes long after the failures finds out by itself, and only one does', async () => {
  const { net, clock, start } = setUp();
  const transport = start();
  net.set('refuse');
  for (let call = 0; call < 3; call += 1) await assert.rejects(transport.send(GET));
  const before = net.count;
  clock.advance(3600);
  await assert.rejects(transport.send(GET));
  const after = net.count;
  assert.ok(after > before);
  await assert.rejects(transport.send(GET));
  assert.equal(net.count, after);
  net.set(null);
  clock.advance(3600);
  assert.equal((await transport.send(GET)).status, 404);
});

test('what one copy of the module finds out about a bridge, the others know', async () => {
  const { net, clock, start } = setUp();
  const breakers = new Map<string, Breaker>();
  const [one, other] = [start({ breakers }), start({ breakers })];
  net.set('refuse');
  for (let call = 0; call < 3; call += 1) await assert.rejects(one.send(GET));
  const before = net.count;
  await assert.rejects(other.send(GET), fails('bridge_unavailable'));
  assert.equal(net.count, before);
  net.set(null);
  clock.advance(3600);
  assert.equal((await one.send(GET)).status, 404);
  assert.equal((await other.send(GET)).status, 404);
});

/** A bridge that was given up and hangs now; resolves when its probe is under way and no call waits for it. */
async function hang(timeoutMs: number): Promise<SetUp & { transport: Transport; breaker: Breaker }> {
  const all = setUp();
  const breakers = new Map<string, Breaker>();
  const transport = all.start({ breakers, timeoutMs });
  all.net.set('refuse');
  for (let call = 0; call < 3; call += 1) await assert.rejects(transport.send(GET));
  const breaker = breakers.get('http://a.test');
  assert.ok(breaker !== undefined);
  all.net.set('hang');
  all.clock.advance(10);
  const told = assert.rejects(transport.send(GET));
  await waitUntil(() => breaker.isProbed, 'the probe has left');
  all.clock.advance(0.3);
  await told;
  assert.ok(breaker.isProbed);
  all.net.set(null);
  return { ...all, transport, breaker };
}

test('a probe that froze with its runtime does not keep the bridge away for ever', async () => {
  const { clock, transport } = await hang(3_000);
  clock.advance(10);
  assert.equal((await transport.send(GET)).status, 404);
});

test('a probe that runs out while its runtime stands still is no reason to wait with the next', async () => {
  const { clock, transport, breaker } = await hang(500);
  clock.advance(5);
  // Its timer rings as soon as the runtime goes on.
  await breaker.probed;
  assert.equal((await transport.send(GET)).status, 404);
});

test('calls that ran out while their runtime stood still say nothing about the bridge', async () => {
  const { net, clock, start } = setUp();
  const breakers = new Map<string, Breaker>();
  const transport = start({ breakers, timeoutMs: 300 });
  net.set('hang');
  const calls: Promise<void>[] = [];
  // One after the other, so that each is a request of its own.
  while (net.count < 6) {
    calls.push(assert.rejects(transport.send(GET), fails('bridge_unavailable')));
    const { count } = net;
    await waitUntil(() => net.count > count, 'it has left');
  }
  clock.advance(5);
  await Promise.all(calls);
  net.set(null);
  assert.equal(breakers.get('http://a.test')?.isOpen, false);
  assert.equal((await transport.send(GET)).status, 404);
});

test('a connection that was closed for its age is no answer to the probe that was sent on it', async () => {
  const { net, clock, start } = setUp();
  let old = 0;
  const fetch: Fetch = (url, init) => {
    old -= 1;
    return old < 0 ? net.fetch(url, init) : Promise.resolve(new Response('', { status: 408 }));
  };
  const transport = start({ fetch });
  net.set('refuse');
  for (let call = 0; call < 3; call += 1) await assert.rejects(transport.send(GET));
  net.set(null);
  clock.advance(5);
  old = 1;
  assert.equal((await transport.send(GET)).status, 404);
  // One that says nothing else is no bridge.
  old = 1_000;
  await assert.rejects(transport.send(GET), fails('invalid_response'));
});

test('what is deferred leaves with the next request', async () => {
  const { bridge, start } = setUp();
  const deferred = new DeferredOperations();
  const transport = start({ deferred });
  await transport.send(PUT);
  let answers = 0;
  deferred.addTouch({ method: 'TOUCH', ref: ID, ttl: 60 }, () => (answers += 1));
  deferred.addTouch({ method: 'TOUCH', ref: ID, ttl: 60 }, () => (answers += 1));
  assert.equal(bridge.requests.length, 1);
  await transport.send({ method: 'GET', ref: ID });
  assert.equal(bridge.requests.length, 2);
  assert.deepEqual(
    bridge.operations.map(({ method }) => method),
    ['PUT', 'GET', 'TOUCH'],
  );
  await waitUntil(() => answers === 1, 'the touch is answered');
});

test('a bridge that lies, or somebody in its place, gives a typed error', async () => {
  const record = { etag: '"1"', [HEADERS.ref]: `${ID}.0` };
  const lies: [string, () => Response | Promise<Response>][] = [
    ['a page with 200', () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })],
    ['a page with 404', () => new Response('<h1>Not Found</h1>', { status: 404 })],
    ['a 404 for no route', () => refusal('no_route', 404)],
    ['a 404 with the code of another status', () => refusal('session_gone', 404)],
    ['a 410 with the code of another status', () => refusal('session_not_found', 410)],
    ['a 410 from nobody', () => new Response(null, { status: 410 })],
    ['an error with a code that is none', () => Response.json({ error: { code: 'x' } }, { status: 404 })],
    ['an error that is no object', () => Response.json('session_not_found', { status: 404 })],
    ['a redirect', () => new Response(null, { status: 302, headers: { location: 'https://x.test/' } })],
    ['a 304 that nobody asked for', () => new Response(null, { status: 304 })],
    ['a 204', () => new Response(null, { status: 204 })],
    ['a record without ETag', () => new Response('r', { headers: { [HEADERS.ref]: `${ID}.0` } })],
    ['a record without ref', () => new Response('r', { headers: { etag: '"1"' } })],
    ['a ref without index', () => new Response('r', { headers: { ...record, [HEADERS.ref]: ID } })],
    [
      'a ref of another session',
      () => new Response('r', { headers: { ...record, [HEADERS.ref]: `${idOf(1)}.0` } }),
    ],
    ['an ETag that is none', () => new Response('r', { headers: { ...record, etag: '"x"' } })],
    ['an empty record', () => new Response('', { headers: record })],
    ['a huge record', () => new Response('x'.repeat(70_000), { headers: record })],
    ['a 502 of a proxy', () => new Response('Bad Gateway', { status: 502 })],
  ];
  const { clock, start } = setUp();
  for (const [what, lie] of lies) {
    const transport = start({ fetch: async () => lie() });
    await assert.rejects(transport.send(GET), fails('invalid_response'), what);
  }
  await waitUntil(() => clock.timers === 0, 'no timer is left');
});

test('a body that never ends is given up at the deadline, and one too large when it is too large', async () => {
  const { start } = setUp();
  const headers = { etag: '"1"', [HEADERS.ref]: `${ID}.0` };
  let cancelled = 0;
  const endless = (): ReadableStream<Uint8Array> =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(10_000)),
      cancel: () => {
        cancelled += 1;
      },
    });
  const large = start({ fetch: async () => new Response(endless(), { headers }) });
  await assert.rejects(large.send(GET), fails('invalid_response'));
  assert.equal(cancelled, 2);
  const silent = (): ReadableStream<Uint8Array> =>
    new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(1)) });
  const slow = start({ fetch: async () => new Response(silent(), { headers }), timeoutMs: 100 });
  await assert.rejects(slow.send(GET), fails('bridge_unavailable'));
});

test('a write whose answer names another version was not ours', async () => {
  const { start } = setUp();
  const headers = { etag: '"2"', [HEADERS.ref]: `${ID}.0` };
  const transport = start({ fetch: async () => new Response(null, { status: 201, headers }) });
  await assert.rejects(transport.send(PUT), fails('invalid_response'));
});

test('a batch whose answer is no list of as many results is refused as a whole', async () => {
  const { start } = setUp();
  const bodies = [
    {},
    { results: {} },
    { results: [] },
    { results: [null, null] },
    { results: [{ status: 'x' }, {}] },
  ];
  for (const body of bodies) {
    const transport = start({ fetch: async () => Response.json(body) });
    const outcomes = await Promise.allSettled([transport.send(GET), transport.send({ ...GET, ttl: 1 })]);
    for (const outcome of outcomes) {
      assert.ok(
        outcome.status === 'rejected' && fails('invalid_response')(outcome.reason),
        JSON.stringify(body),
      );
    }
  }
});

test('what the bridge refuses for good is not tried again; what it cannot do now, is', async () => {
  const { start } = setUp();
  const tries = async (code: string, status: number): Promise<{ count: number; error: unknown }> => {
    let count = 0;
    const transport = start({
      urls: ['http://a.test', 'http://b.test'],
      fetch: () => {
        count += 1;
        return refusal(code, status);
      },
    });
    const error: unknown = await transport.send(PUT).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof SessionError && error.code === code && error.status === status);
    return { count, error };
  };
  for (const [code, status] of [
    ['invalid_request', 400],
    ['record_too_large', 413],
  ] as const) {
    const { count, error } = await tries(code, status);
    assert.equal(count, 1);
    assert.ok(!(error instanceof SessionUnavailableError));
  }
  for (const [code, status, expected] of [
    ['unauthorized', 401, 2],
    ['forbidden', 403, 2],
    ['rate_limited', 429, 1],
    ['internal', 500, 2],
    ['overloaded', 503, 2],
    ['nodes_unavailable', 503, 2],
    ['out_of_memory', 507, 1],
  ] as const) {
    const { count, error } = await tries(code, status);
    assert.equal(count, expected, code);
    assert.ok(error instanceof SessionUnavailableError, code);
  }
});

test('a refused token is made anew for the next try', async () => {
  const { bridge, start } = setUp();
  const tokens = new Set<string>();
  let isFirst = true;
  const transport = start({
    fetch: (url, init) => {
      tokens.add(new Headers(init.headers).get('authorization') ?? '');
      if (!isFirst) return bridge.fetch(url, init);
      isFirst = false;
      return refusal('unauthorized', 401);
    },
  });
  assert.equal((await transport.send(PUT)).status, 201);
});

test('an instance with a wrong clock learns the time from the bridge that refuses its token', async () => {
  for (const skewSeconds of [-86_400, 600]) {
    const { clock, start } = setUp();
    const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] }, now: () => Date.now() });
    clock.advance(skewSeconds);
    let refused = 0;
    const transport = start({
      fetch: async (url, init) => {
        const token = new Headers(init.headers).get('authorization')?.split('.')[1] ?? '';
        const { iat } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { iat: number };
        if (Math.abs(iat - Date.now() / 1000) < 30) return bridge.fetch(url, init);
        refused += 1;
        const answer = await refusal('unauthorized', 401);
        answer.headers.set('date', new Date().toUTCString());
        return answer;
      },
    });
    assert.equal((await transport.send(PUT)).status, 201);
    assert.equal((await transport.send(GET)).status, 200);
    assert.equal(refused, 1);
  }
});

function tokenOf(bridge: MemoryBridge): string {
  return bridge.requests.at(-1)?.headers.get('authorization')?.slice('Bearer '.length) ?? '';
}

async function refusal(code: string, status: number): Promise<Response> {
  return Response.json({ error: { code, message: '' } }, { status });
}
