import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { requireBun } from '../support/runtimes.ts';
import { makeId, type Reply } from '../support/service.ts';

import { waitUntil } from '../support/wait.ts';

/** Far over the deadlines of a request, for a busy machine. */
const WITHIN_MS = 40_000;

interface Setup {
  readonly nodes: readonly [Memcached, Memcached, Memcached];
  readonly bridge: BridgeProcess;
}

/** Three nodes and a bridge that runs on Bun; they end with the test. */
async function setUp(t: TestContext): Promise<Setup> {
  const nodes = [await startMemcached(), await startMemcached(), await startMemcached()] as const;
  const bridge = await startBridgeProcess({
    runtime: requireBun(),
    nodes: nodes.map(({ port }) => port),
    // A slow machine is no dead node.
    env: { NODE_TIMEOUT_MS: '2000' },
  });
  t.after(async () => {
    await bridge[Symbol.asyncDispose]();
    for (const node of nodes) await node.kill();
  });
  return { nodes, bridge };
}

/** New sessions, each on two nodes. */
async function store({ bridge }: Setup, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => makeId());
  for (const id of ids) {
    const { status, copies } = await bridge.client.put(id, { version: 1, base: null, text: id });
    assert.deepEqual([status, copies], [201, 2]);
  }
  return ids;
}

/** What is read when it may be asked for again, as clients do. */
async function readAll({ bridge }: Setup, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    let last: Reply | undefined;
    await waitUntil(
      async () => {
        last = await bridge.client.get(id);
        assert.ok(last.status === 200 || last.status === 503, `status ${last.status}`);
        return last.status === 200;
      },
      'the session is read',
      WITHIN_MS,
    );
    assert.equal(last?.text, id);
  }
}

async function stateOf({ bridge }: Setup, index: number): Promise<unknown> {
  const response = await bridge.admin('GET', '/admin/nodes');
  // Documented in the operator's interface.
  const { nodes } = (await response.json()) as { nodes: { index: number; state: string }[] };
  return nodes.find((node) => node.index === index)?.state;
}

test('on Bun a session is created, read, changed, touched and destroyed', async (t) => {
  const { bridge } = await setUp(t);
  const { client } = bridge;
  const id = makeId();
  assert.equal((await client.put(id, { version: 1, base: null })).status, 201);
  const read = await client.get(id);
  assert.deepEqual([read.status, read.version, read.text], [200, 1, 'record 1']);
  assert.equal((await client.put(id, { version: 2, base: 1 })).status, 200);
  const conflict = await client.put(id, { version: 2, base: 1, text: 'late' });
  assert.deepEqual([conflict.status, conflict.version, conflict.text], [412, 2, 'record 2']);
  const known = await client.send('GET', id, { 'If-None-Match': '"2"' });
  assert.deepEqual([known.status, known.text], [304, '']);
  assert.equal((await client.touch(id, 60)).status, 204);
  const large = 'x'.repeat(300_000);
  assert.equal((await client.put(id, { version: 3, base: 2, text: large })).status, 200);
  assert.equal((await client.get(id)).text, large);
  assert.equal((await client.delete(id)).status, 204);
  assert.equal((await client.get(id)).status, 410);
  assert.equal((await client.get(makeId())).status, 404);
});

test('on Bun sessions survive a killed node and a frozen one, and the nodes come back', async (t) => {
  const setup = await setUp(t);
  const { nodes } = setup;
  const ids = await store(setup, 30);
  await nodes[0].kill();
  await readAll(setup, ids);
  await nodes[0].restart();
  await waitUntil(async () => (await stateOf(setup, 0)) === 'up', 'node 0 is up', WITHIN_MS);
  const more = await store(setup, 30);
  await nodes[1].stop();
  await readAll(setup, more);
  nodes[1].resume();
  await waitUntil(async () => (await stateOf(setup, 1)) === 'up', 'node 1 is up', WITHIN_MS);
  await readAll(setup, more);
});

test('on Bun no number is collected for which it would walk through its whole heap', async (t) => {
  const { bridge } = await setUp(t);
  const text = await (await bridge.admin('GET', '/metrics')).text();
  assert.match(text, /^nodejs_heap_size_used_bytes\S* \d/m);
  assert.doesNotMatch(text, /nodejs_heap_space_size/);
});

test('on Bun SIGTERM ends the bridge in order', async (t) => {
  const setup = await setUp(t);
  await store(setup, 1);
  setup.bridge.signal('SIGTERM');
  assert.equal(await setup.bridge.ended, 0);
});
