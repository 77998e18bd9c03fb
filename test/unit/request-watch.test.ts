import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { Hono } from 'hono';
import { pino } from 'pino';
import { watchRequests, type WatchedEnv } from '../../packages/bridge/src/request-watch.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { makeId } from '../support/service.ts';

type Line = Readonly<Record<string, unknown>>;

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

function setUp(level: 'info' | 'debug' = 'debug') {
  const clock = new FakeClock();
  const lines: Line[] = [];
  const counted: [route: string, status: number, seconds: number][] = [];
  const state = { isStopping: false };
  const log = pino(
    { level },
    new Writable({
      write(chunk, _encoding, done) {
        // pino writes a line of JSON at a time.
        lines.push(JSON.parse(String(chunk)) as Line);
        done();
      },
    }),
  );
  const app = new Hono<WatchedEnv>();
  app.use(
    watchRequests({
      clock,
      log,
      metrics: { requestEnded: (...ended) => counted.push(ended) },
      routeOf: () => 'session',
      isStopping: () => state.isStopping,
    }),
  );
  app.get('/good', async (c) => {
    await clock.advance(250);
    return c.text('good', 200, c.get('fields')());
  });
  app.get('/bad', (c) => c.text('bad', 503, c.get('fields')()));
  return { app, clock, lines, counted, state };
}

test('a request keeps the id and the trace that it comes with, in its answer and in the log', async () => {
  const { app, lines, counted } = setUp();
  const headers = { 'X-Request-Id': 'from-the-balancer', traceparent: TRACEPARENT };
  const response = await app.request('/good', { headers });
  assert.equal(response.headers.get('x-request-id'), 'from-the-balancer');
  assert.equal(response.headers.get('traceparent'), TRACEPARENT);
  const [line = {}] = lines;
  assert.deepEqual(
    [line['requestId'], line['traceId'], line['route'], line['status'], line['tookMs']],
    ['from-the-balancer', TRACE, 'session', 200, 250],
  );
  assert.deepEqual(counted, [['session', 200, 0.25]]);
});

test('without an id it gets one, and what is no trace is not passed on', async () => {
  const { app, lines } = setUp();
  const ids = new Set<string | null>();
  for (const traceparent of ['', 'nonsense', `00-${TRACE}`, TRACEPARENT.toUpperCase()]) {
    const response = await app.request('/good', { headers: { traceparent } });
    ids.add(response.headers.get('x-request-id'));
    assert.equal(response.headers.get('traceparent'), null, traceparent);
  }
  assert.equal(ids.size, 4);
  assert.ok(lines.every((line) => ids.has(String(line['requestId'])) && !('traceId' in line)));
});

test('an id from outside that could be a session, or anything but an id, is replaced', async () => {
  const { app, lines } = setUp();
  const id = makeId();
  const wrong = [id, `${id}-0`, `x${id}`, 'short', 'x'.repeat(65), 'with space', 'eyJhbGciOiJIUzI1NiJ9.e30'];
  for (const given of wrong) {
    const response = await app.request('/good', { headers: { 'X-Request-Id': given } });
    assert.notEqual(response.headers.get('x-request-id'), given, given);
  }
  for (const given of wrong) assert.ok(!JSON.stringify(lines).includes(given), given);
});

test('a bridge that stops asks its clients to connect elsewhere', async () => {
  const { app, state } = setUp();
  assert.equal((await app.request('/good')).headers.get('connection'), null);
  state.isStopping = true;
  assert.equal((await app.request('/good')).headers.get('connection'), 'close');
});

test('failures are logged, but a flood of them is only counted', async () => {
  const { app, clock, lines, counted } = setUp('info');
  for (let i = 0; i < 100; i += 1) await app.request('/bad');
  assert.deepEqual([lines.length, counted.length], [10, 100]);
  await clock.advance(1_000);
  await app.request('/bad');
  await app.request('/good');
  assert.deepEqual([lines.length, counted.length], [11, 102]);
});
