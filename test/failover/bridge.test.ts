import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { makeId, type Reply, type RunningBridge, startBridge } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

/** One request may take three node deadlines of 250 ms, and some for a busy machine. */
const ANSWER_WITHIN_MS = 1_500;

interface Setup extends AsyncDisposable {
  readonly nodes: readonly [Memcached, Memcached, Memcached];
  readonly bridge: RunningBridge;
}

/** Where no node hangs, a late one is only busy. */
const PATIENT = { nodeTimeoutMs: 5_000 };

async function setUp(options: { flags?: readonly string[]; nodeTimeoutMs?: number } = {}): Promise<Setup> {
  const { flags = [], ...overrides } = options;
  const nodes = [
    await startMemcached({ flags }),
    await startMemcached({ flags }),
    await startMemcached({ flags }),
  ] as const;
  const bridge = await startBridge(
    nodes.map(({ port }) => port),
    overrides,
  );
  return {
    nodes,
    bridge,
    [Symbol.asyncDispose]: async () => {
      await bridge[Symbol.asyncDispose]();
      for (const node of nodes) await node[Symbol.asyncDispose]();
    },
  };
}

function stateOf({ cluster }: RunningBridge, index: number): string | undefined {
  return cluster.status()[index]?.state;
}

async function untilUp(bridge: RunningBridge, index: number): Promise<void> {
  await waitUntil(() => stateOf(bridge, index) === 'up', `node ${index} is up`, 40_000);
}

/** On a busy machine a healthy node may miss its deadline; then the answer is 503, and the client asks again. */
async function untilAnswered(ask: () => Promise<Reply>): Promise<Reply> {
  let reply = await ask();
  await waitUntil(async () => reply.status !== 503 || (reply = await ask()).status !== 503, 'an answer');
  return reply;
}

test('what two copies acknowledged is readable at once after any one node is killed', async () => {
  for (const victim of [0, 1, 2] as const) {
    await using setup = await setUp(PATIENT);
    const { nodes, bridge } = setup;
    const ids = Array.from({ length: 60 }, () => makeId());
    const saves = await Promise.all(
      ids.map((id) => untilAnswered(() => bridge.client.put(id, { version: 1, base: null, text: id }))),
    );
    assert.ok(saves.every(({ copies }) => copies === 2));
    await nodes[victim].kill();
    const reads = await Promise.all(saves.map(({ home }, i) => bridge.client.get(`${ids[i]}.${home}`)));
    assert.deepEqual(
      reads.map(({ status, text }) => [status, text]),
      ids.map((id) => [200, id]),
    );
    const later = await Promise.all(saves.map(({ home }, i) => bridge.client.get(`${ids[i]}.${home}`)));
    for (const [i, { home }] of later.entries()) {
      if (saves[i]?.home === victim) assert.notEqual(home, victim, 'the home moved');
      else assert.equal(home, saves[i]?.home, 'other sessions stay where they are');
    }
  }
});

test('after two of three nodes are killed at once saves go on with one copy', async () => {
  await using setup = await setUp(PATIENT);
  const { nodes, bridge } = setup;
  const ids = Array.from({ length: 40 }, () => makeId());
  await Promise.all(ids.map((id) => bridge.client.put(id, { version: 1, base: null, text: id })));
  await Promise.all([nodes[0].kill(), nodes[1].kill()]);
  const created = await Promise.all(
    ids.map(() => untilAnswered(() => bridge.client.put(makeId(), { version: 1, base: null }))),
  );
  assert.ok(created.every(({ status, home, copies }) => status === 201 && home === 2 && copies === 1));
  const reads = await Promise.all(ids.map((id) => untilAnswered(() => bridge.client.get(id))));
  assert.ok(reads.every(({ status }) => status === 200 || status === 404));
  assert.ok(reads.some(({ status }) => status === 200));
  assert.ok(Math.max(...[...created, ...reads].map(({ tookMs }) => tookMs)) < ANSWER_WITHIN_MS);
});

test('while two of three nodes only hang nothing is acknowledged by the third', async () => {
  await using setup = await setUp();
  const { nodes, bridge } = setup;
  await nodes[0].stop();
  await nodes[1].stop();
  const saves = await Promise.all(
    Array.from({ length: 20 }, () => bridge.client.put(makeId(), { version: 1, base: null })),
  );
  assert.ok(saves.every(({ status }) => status === 503));
  assert.ok(Math.max(...saves.map(({ tookMs }) => tookMs)) < ANSWER_WITHIN_MS);
  nodes[0].resume();
  nodes[1].resume();
});

test('a save that timed out at a stopped node does not come back over a newer one', async () => {
  await using setup = await setUp();
  const { nodes, bridge } = setup;
  const id = makeId([0, 1, 2]);
  await bridge.client.put(id, { version: 1, base: null });
  await nodes[0].stop();
  const passedOver = await bridge.client.put(`${id}.0`, { version: 2, base: 1 });
  assert.deepEqual([passedOver.status, passedOver.home, passedOver.copies], [200, 1, 2]);
  assert.equal((await bridge.client.put(`${id}.1`, { version: 3, base: 2 })).status, 200);
  nodes[0].resume();
  await untilUp(bridge, 0);
  for (const ref of [id, `${id}.0`, `${id}.1`]) {
    const read = await bridge.client.get(ref);
    assert.deepEqual([read.status, read.version], [200, 3], ref);
  }
});

test('a save that a network holds back does not come back over a newer one', async () => {
  await using setup = await setUp();
  const { nodes } = setup;
  const proxy = await startFaultProxy({ targetPort: nodes[0].port });
  const bridge = await startBridge([proxy.port, nodes[1].port, nodes[2].port]);
  const id = makeId([0, 1, 2]);
  await bridge.client.put(id, { version: 1, base: null });
  const read = await bridge.client.get(id);
  assert.equal(read.version, 1);
  proxy.poison('up', { isHeld: true });
  const held = proxy.freeze();
  assert.equal((await bridge.client.put(`${id}.0`, { version: 2, base: 1 })).status, 200);
  proxy.heal();
  assert.equal((await bridge.client.put(`${id}.1`, { version: 3, base: 2 })).status, 200);
  held.heal();
  await untilUp(bridge, 0);
  assert.equal((await bridge.client.get(`${id}.0`)).version, 3);
  await bridge[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

test('logout while a node hangs holds when the node returns', async () => {
  await using setup = await setUp();
  const { nodes, bridge } = setup;
  const ids = Array.from({ length: 20 }, () => makeId([0]));
  await Promise.all(ids.map((id) => bridge.client.put(id, { version: 1, base: null })));
  await nodes[0].stop();
  for (const id of ids)
    assert.equal((await untilAnswered(() => bridge.client.delete(`${id}.0`))).status, 204);
  nodes[0].resume();
  await untilUp(bridge, 0);
  for (const id of ids) {
    assert.equal((await bridge.client.get(`${id}.0`)).status, 410);
    assert.equal((await bridge.client.put(`${id}.0`, { version: 2, base: 1 })).status, 410);
  }
});

test('a bridge that starts after the outage does not believe the returned node either', async () => {
  await using setup = await setUp();
  const { nodes, bridge } = setup;
  const id = makeId([0, 1, 2]);
  await bridge.client.put(id, { version: 1, base: null });
  await nodes[0].stop();
  await waitUntil(
    async () => (await bridge.client.get(id)).status === 200 && stateOf(bridge, 0) === 'down',
    'node 0 is down',
  );
  assert.equal((await bridge.client.put(`${id}.1`, { version: 2, base: 1 })).status, 200);
  await bridge[Symbol.asyncDispose]();
  nodes[0].resume();
  const next = await startBridge(nodes.map(({ port }) => port));
  assert.equal((await next.client.get(`${id}.0`)).version, 2);
  await next[Symbol.asyncDispose]();
});

test('a node that restarts empty gets its copies back by reading', async () => {
  await using setup = await setUp(PATIENT);
  const { nodes, bridge } = setup;
  const id = makeId([0, 1, 2]);
  await bridge.client.put(id, { version: 1, base: null });
  await nodes[0].restart();
  await waitUntil(() => stateOf(bridge, 0) !== 'up', 'the restart was noticed');
  await untilUp(bridge, 0);
  assert.deepEqual([(await bridge.client.get(`${id}.0`)).status], [200]);
  await nodes[1].kill();
  await nodes[2].kill();
  assert.equal((await bridge.client.get(`${id}.0`)).text, 'record 1', 'node 0 has it again');
});

test('two bridges that disagree about a node end with one record and count the fork', async () => {
  await using setup = await setUp();
  const { nodes, bridge: two } = setup;
  const proxy = await startFaultProxy({ targetPort: nodes[0].port });
  const one = await startBridge([proxy.port, nodes[1].port, nodes[2].port]);
  const ids = Array.from({ length: 10 }, () => makeId([0, 1, 2]));
  await Promise.all(ids.map((id) => one.client.put(id, { version: 1, base: null })));
  await proxy.refuse();
  for (const id of ids) {
    const [mine, theirs] = await Promise.all([
      one.client.put(`${id}.0`, { version: 2, base: 1, text: 'by one' }),
      two.client.put(`${id}.0`, { version: 2, base: 1, text: 'by two' }),
    ]);
    const statuses = [mine.status, theirs.status];
    assert.ok(statuses.includes(200), `one of them is stored: ${statuses.join(' ')}`);
    const winner =
      mine.status === 200 && theirs.status === 412
        ? 'by one'
        : theirs.status === 200 && mine.status === 412
          ? 'by two'
          : null;
    assert.ok(winner !== null, `exactly one of them is stored: ${statuses.join(' ')}`);
    assert.equal((await two.client.get(`${id}.0`)).text, winner);
    assert.equal((await one.client.get(`${id}.0`)).text, winner);
  }
  await proxy.accept();
  await untilUp(one, 0);
  for (const id of ids)
    assert.equal((await one.client.get(`${id}.0`)).text, (await two.client.get(`${id}.1`)).text);
  await one[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

test('with all nodes down the answer is 503 at once, and service returns by itself', async () => {
  await using setup = await setUp();
  const { nodes, bridge } = setup;
  const id = makeId();
  await bridge.client.put(id, { version: 1, base: null });
  for (const node of nodes) await node.stop();
  const replies: Reply[] = [];
  for (let i = 0; i < 10; i += 1) {
    replies.push(
      await bridge.client.get(`${id}.0`),
      await bridge.client.put(`${id}.0`, { version: 2, base: 1 }),
    );
  }
  assert.deepEqual([...new Set(replies.map(({ status }) => status))], [503]);
  assert.ok(replies.every(({ headers }) => headers.get('retry-after') === '1'));
  assert.ok(Math.max(...replies.map(({ tookMs }) => tookMs)) < ANSWER_WITHIN_MS);
  for (const node of nodes) node.resume();
  await waitUntil(async () => (await bridge.client.get(`${id}.0`)).status === 200, 'service is back', 5_000);
});

test('full nodes are told as 507 and keep the old record', async () => {
  await using setup = await setUp({ ...PATIENT, flags: ['-m', '2', '-M', '-I', '512k'] });
  const { bridge } = setup;
  const id = makeId();
  assert.equal((await bridge.client.put(id, { version: 1, base: null, text: 'small' })).status, 201);
  let status = 0;
  for (let i = 0; i < 200 && status !== 507; i += 1) {
    status = (await bridge.client.put(makeId(), { version: 1, base: null, text: 'x'.repeat(200_000) }))
      .status;
  }
  assert.equal(status, 507);
  const grown = await bridge.client.put(id, { version: 2, base: 1, text: 'y'.repeat(200_000) });
  assert.equal(grown.status, 507);
  assert.equal((await bridge.client.get(id)).text, 'small');
  assert.deepEqual(
    [0, 1, 2].map((index) => stateOf(bridge, index)),
    ['up', 'up', 'up'],
    'a full node is not a bad node',
  );
});

test('a record that the nodes take for too large is told as 413 and changes nothing', async () => {
  await using setup = await setUp({ ...PATIENT, flags: ['-I', '256k', '-o', 'slab_chunk_max=256'] });
  const { bridge } = setup;
  const id = makeId();
  assert.equal((await bridge.client.put(id, { version: 1, base: null, text: 'small' })).status, 201);
  const grown = await bridge.client.put(id, { version: 2, base: 1, text: 'x'.repeat(300_000) });
  assert.equal(grown.status, 413);
  assert.equal(
    (await bridge.client.put(makeId(), { version: 1, base: null, text: 'x'.repeat(300_000) })).status,
    413,
  );
  assert.equal((await bridge.client.get(id)).text, 'small');
  assert.deepEqual(
    [0, 1, 2].map((index) => stateOf(bridge, index)),
    ['up', 'up', 'up'],
  );
});

test('a touch keeps every copy alive, not only the one at home', async () => {
  await using setup = await setUp(PATIENT);
  const { nodes, bridge } = setup;
  const id = makeId([0, 1, 2]);
  await bridge.client.put(id, { version: 1, base: null, ttl: 5 });
  const touched = await bridge.client.touch(id, 600);
  assert.equal(touched.status, 204);
  await new Promise((resolve) => setTimeout(resolve, 6_100));
  await nodes[0].kill();
  assert.equal((await bridge.client.get(`${id}.0`)).status, 200);
});
