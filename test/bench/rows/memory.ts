/** How much memory an instance needs for the sessions that it holds. */
import { BRIDGE_SECRET } from '../../support/app.ts';
import { createInstance, type Data, type Instance, visit } from '../../support/client-instance.ts';
import { heapBytes } from '../../support/heap.ts';
import { TestBrowser } from '../../support/test-browser.ts';
import { type Line, state } from '../line.ts';
import { atMost } from '../measure.ts';
import type { Row } from '../row.ts';
import { Stack } from '../stack.ts';

const SESSIONS = 2_000;
const WARM_UP = 200;
const SIZES = [500, 2_000, 8_000];

async function measure(): Promise<Line[]> {
  await using stack = await Stack.start();
  const lines: Line[] = [];
  // Once for nothing: at first the code is still being compiled, and would be counted with the sessions.
  await measureSize(stack, 500);
  for (const bytes of SIZES) lines.push(await measureSize(stack, bytes));
  return lines;
}

async function measureSize(stack: Stack, bytes: number): Promise<Line> {
  const instance = createInstance(fetch, {
    bridgeUrl: stack.url,
    bridgeSecret: BRIDGE_SECRET,
    maxStale: Infinity,
    cache: { maxBytes: 1_000_000_000 },
    onEvent: () => undefined,
  });
  const data = makeData(bytes);
  const each = JSON.stringify(data).length;
  await fill(instance, data, WARM_UP);
  const before = heapBytes();
  await fill(instance, data, SESSIONS);
  const ratio = (heapBytes() - before) / (SESSIONS * each);
  return state({
    what: `memory of the cache with ${SESSIONS} sessions of ${each} bytes, for each byte of them`,
    unit: '×',
    samples: [{ value: ratio, cpuMicros: null }],
    goal: atMost(2, ' ×'),
    note: 'Heap that is left after a collection, with all that belongs to a cached session: parsed claims, the remembered seal of its cookie (about 300 bytes), the entries of three maps.',
  });
}

/** New sessions, held by this instance; their browsers are forgotten. */
async function fill(instance: Instance, data: Data, count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    await visit(instance, new TestBrowser(), async (session) => {
      Object.assign(session, data, { views: at });
      await session.save();
    });
  }
}

function makeData(bytes: number): Data {
  return {
    userId: '42',
    cart: Array.from({ length: Math.ceil(bytes / 11) }, (_, at) => `item-${at % 1_000}`),
  };
}

export const memory: Row = { name: 'memory', title: 'memory of the cache', measure };
