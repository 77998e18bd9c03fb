import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { sendTicks, type TickOptions } from '../../packages/bridge/src/admin-events.ts';
import { waitUntil } from '../support/wait.ts';

/** A desk of which only the ticks matter. */
class FakeDesk {
  readonly overview = {};
  readonly samples = [];
  readonly incidents = [];
  readonly listeners: Set<(tick: object) => void> = new Set();

  subscribe(listener: (tick: object) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  tick(): void {
    for (const listener of this.listeners) listener({ overview: 'x'.repeat(10_000) });
  }
}

async function follow(desk: FakeDesk, isOpen: () => boolean = () => true): Promise<ReadableStream> {
  const app = new Hono();
  // Only that there is an overview and that there are ticks matters here, not what is in them.
  const options = { desk, roster: { source: { kind: 'environment' } }, isOpen } as unknown as TickOptions;
  app.get('/', (c) => sendTicks(c, options));
  const { body } = await app.request('/');
  assert.ok(body);
  return body;
}

test('a browser that reads nothing any more is let go after half a minute, and nothing is kept for it', async () => {
  const desk = new FakeDesk();
  const body = await follow(desk);
  const reader = body.getReader();
  await reader.read();
  await waitUntil(() => desk.listeners.size === 1, 'it follows');
  for (let tick = 0; tick < 40; tick += 1) desk.tick();
  assert.equal(desk.listeners.size, 0);
  await waitUntil(async () => (await reader.read()).done, 'the stream ends');
});

test('a browser that goes away before it was told everything is not followed', async () => {
  const desk = new FakeDesk();
  const body = await follow(desk);
  await body.cancel();
  await waitUntil(() => desk.listeners.size === 0, 'it is not followed');
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(desk.listeners.size, 0);
});

test('a browser that is logged out gets what it was sent before, and no more', async () => {
  const desk = new FakeDesk();
  let isOpen = true;
  const body = await follow(desk, () => isOpen);
  desk.tick();
  isOpen = false;
  desk.tick();
  assert.equal(desk.listeners.size, 0);
  const text = await new Response(body).text();
  assert.deepEqual(text.match(/^event: \w+$/gm), ['event: start', 'event: tick']);
});
