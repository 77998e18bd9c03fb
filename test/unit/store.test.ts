import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeNode } from '../support/fake-node.ts';
import { destroy, idWithRank, read, save, setUpNodes } from '../support/fake-bridge.ts';

/** Ranks 0, 1, 2. */
const ID = idWithRank([0, 1, 2], 3);

test('a save is on two nodes and a read asks both', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  assert.deepEqual(await save(one, { id: ID, version: 1, base: null }), {
    kind: 'stored',
    home: 0,
    copies: 2,
  });
  const before = nodes.map((node) => node.calls.get('gets') ?? 0);
  assert.equal(await read(one, { id: ID, index: 0 }), 'record 1 @0');
  assert.deepEqual(
    nodes.map((node) => node.calls.get('gets') ?? 0).map((calls, i) => calls - (before[i] ?? 0)),
    [1, 1, 0],
  );
});

test('a save on an older version is refused with the current record', async () => {
  const { bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  await save(one, { id: ID, version: 2, base: 1, text: 'mine' });
  const late = await save(one, { id: ID, version: 2, base: 1, text: 'late' });
  assert.equal(late.kind, 'conflict');
  assert.equal(await read(one, { id: ID }), 'mine @0');
});

test('the same save sent twice is one save', async () => {
  const { bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  assert.equal((await save(one, { id: ID, version: 1, base: null })).kind, 'stored');
  await save(one, { id: ID, version: 2, base: 1 });
  assert.equal((await save(one, { id: ID, version: 2, base: 1 })).kind, 'stored');
});

test('after the death of its home a session has another home with the same data', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const home = nodes[0];
  assert.ok(home);
  home.fault = 'unreachable';
  assert.equal(
    await read(one, { id: ID, index: 0 }),
    'record 1 @1',
    'the read that discovers the fault is answered too',
  );
  assert.equal(await read(one, { id: ID, index: 0 }), 'record 1 @1');
  assert.deepEqual(await save(one, { id: ID, index: 1, version: 2, base: 1 }), {
    kind: 'stored',
    home: 1,
    copies: 2,
  });
});

test('a node that returns with old memory is not believed', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const home = nodes[0];
  assert.ok(home);
  home.fault = 'unreachable';
  await read(one, { id: ID });
  await save(one, { id: ID, index: 1, version: 2, base: 1 });
  home.heal();
  await clock.advance(5_000);
  assert.equal(one.cluster.status()[0]?.state, 'up');
  assert.equal(await read(one, { id: ID, index: 0 }), 'record 2 @0');
  assert.equal(home.items.get(`shop:${ID}`)?.version, 2, 'the copy is repaired');
});

test('logout while a node is out holds when the node returns with the session', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const home = nodes[0];
  assert.ok(home);
  home.fault = 'unreachable';
  await read(one, { id: ID });
  await destroy(one, ID);
  home.heal();
  await clock.advance(5_000);
  assert.equal(await read(one, { id: ID, index: 0 }), 'gone');
  assert.equal((await save(one, { id: ID, index: 0, version: 2, base: 1 })).kind, 'gone');
});

test('a bridge that starts after the outage does not believe the returned node either', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const home = nodes[0];
  assert.ok(home);
  home.fault = 'unreachable';
  await read(one, { id: ID });
  await clock.advance(10);
  await save(one, { id: ID, index: 1, version: 2, base: 1 });
  await one.cluster.close();
  for (const node of nodes) node.heal();
  const two = await bridge();
  assert.equal(await read(two, { id: ID, index: 0 }), 'record 2 @0');
});

test('a write that timed out and is applied after a newer save does not bring the older record back', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const home = nodes[0];
  assert.ok(home);
  home.fault = 'hang';
  const slow = save(one, { id: ID, index: 0, version: 2, base: 1 });
  await clock.advance(1_000);
  assert.equal((await slow).kind, 'stored');
  const newer = save(one, { id: ID, index: 1, version: 3, base: 2 });
  await clock.advance(1_000);
  assert.equal((await newer).kind, 'stored');
  home.heal();
  await clock.advance(10_000);
  assert.equal(await read(one, { id: ID, index: 0 }), 'record 3 @0');
});

test('all nodes silent is unknown, not absent', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  for (const node of nodes) node.fault = 'unreachable';
  assert.equal(await read(one, { id: ID }), 'unknown');
  assert.equal((await save(one, { id: ID, version: 2, base: 1 })).kind, 'unknown');
  for (const node of nodes) node.heal();
  await clock.advance(3_000);
  assert.equal(await read(one, { id: ID }), 'record 1 @0');
});

test('a session nobody has is absent only while every node can be asked, or has been down for long', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  assert.equal(await read(one, { id: ID }), 'absent');
  const home = nodes[0];
  assert.ok(home);
  home.fault = 'unreachable';
  assert.equal(await read(one, { id: ID }), 'unknown');
  await clock.advance(31_000);
  assert.equal(await read(one, { id: ID }), 'absent');
});

test('two bridges that disagree about a node end with one record, and the fork is counted', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  cutOff.add(0);
  await read(one, { id: ID });
  assert.deepEqual(await save(one, { id: ID, index: 0, version: 2, base: 1, text: 'from one' }), {
    kind: 'stored',
    home: 1,
    copies: 2,
  });
  const other = await save(two, { id: ID, index: 0, version: 2, base: 1, text: 'from two' });
  assert.equal(other.kind, 'conflict');
  assert.ok((two.counts.get('fork') ?? 0) + (two.counts.get('conflict') ?? 0) > 0);
  assert.equal(await read(two, { id: ID, index: 0 }), 'from one @0');
  cutOff.clear();
  await clock.advance(10_000);
  assert.equal(await read(one, { id: ID, index: 0 }), 'from one @0');
  assert.deepEqual(nodes.map((node) => node.items.get(`shop:${ID}`)?.value.toString()).slice(0, 2), [
    'from one',
    'from one',
  ]);
});

test('a bridge hears from its peers that a node misses their writes', async () => {
  const { clock, bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  cutOff.add(0);
  await read(one, { id: ID });
  await clock.advance(8_000);
  await destroy(one, ID);
  assert.equal(await read(two, { id: ID, index: 0 }), 'gone');
});

test('a third node takes the second copy', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  const second = nodes[1];
  assert.ok(second);
  second.fault = 'unreachable';
  assert.deepEqual(await save(one, { id: ID, version: 1, base: null }), {
    kind: 'stored',
    home: 0,
    copies: 2,
  });
  assert.equal(nodes[2]?.items.has(`shop:${ID}`), true);
});

test('a full node is passed over and a cluster that is full says so', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  const [first, ...others] = nodes;
  assert.ok(first);
  first.fault = 'full';
  assert.deepEqual(await save(one, { id: ID, version: 1, base: null }), {
    kind: 'stored',
    home: 1,
    copies: 2,
  });
  for (const node of others) node.fault = 'full';
  assert.equal((await save(one, { id: ID, version: 2, base: 1 })).kind, 'out_of_memory');
  for (const node of nodes) node.heal();
  assert.equal(await read(one, { id: ID }), 'record 1 @0');
});

/** Ranks 0, 1, 2, 3. */
const ID_OF_FOUR = idWithRank([0, 1, 2, 3], 4);

test('a bridge that still has a node up shows what another bridge saved without it', async () => {
  const { bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  cutOff.add(0);
  await save(one, { id: ID, version: 2, base: 1 });
  assert.equal(await read(two, { id: ID }), 'record 2 @0');
});

test('a bridge that has lost sight of two of the first nodes does not show what the third had before', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  await save(two, { id: ID, version: 1, base: null });
  await overwrite(nodes[2], ID, 'record 1');
  await save(two, { id: ID, version: 2, base: 1 });
  for (const index of [0, 1]) cutOff.add(index);
  assert.equal(await read(one, { id: ID, floor: 1 }), 'unknown');
  // It is still down for this bridge alone, and now counts as lost.
  await clock.advance(31_000);
  assert.equal(await read(one, { id: ID, floor: 1 }), 'record 1 @2');
});

test('a bridge that still has a node up knows of a logout that another bridge carried out without it', async () => {
  const { bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  cutOff.add(0);
  await destroy(one, ID);
  assert.equal(await read(two, { id: ID }), 'gone');
});

test('what a read shows of a save that was cut short outlives the only node that had it', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  await overwrite(nodes[0], ID, 'half done');
  assert.equal(await read(one, { id: ID }), 'half done @0');
  nodes[0]?.restartEmpty();
  assert.equal(await read(one, { id: ID }), 'half done @0');
});

test('of two records with one version the acknowledged one stands, and the next save is made on it', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  cutOff.add(0);
  await save(one, { id: ID, version: 2, base: 1, text: 'acknowledged' });
  await overwrite(nodes[0], ID, 'cut short');
  assert.equal(await read(two, { id: ID }), 'acknowledged @0');
  assert.equal(two.counts.get('fork'), 1);
  assert.equal((await save(two, { id: ID, version: 3, base: 2, text: 'next' })).kind, 'stored');
  assert.deepEqual(
    nodes.map((node) => node.items.get(`shop:${ID}`)?.value.toString()),
    ['next', 'next', 'acknowledged'],
  );
});

test('a save that meets a record it does not know at its second copy takes itself back', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const [first, second] = nodes;
  assert.ok(first && second);
  // Another bridge, which goes on without node 0, comes between the two writes of this save.
  const { cas } = first;
  first.cas = async (...call) => {
    const outcome = await cas.apply(first, call);
    await overwrite(second, ID, 'from another bridge');
    return outcome;
  };
  const outcome = await save(one, { id: ID, version: 5, base: 1, text: 'mine' });
  first.cas = cas;
  assert.equal(outcome.kind, 'conflict');
  assert.equal(await read(one, { id: ID }), 'from another bridge @0');
});

test('a save that is replaced while it waits for its second copy is not acknowledged with a third', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const [home, second] = nodes;
  assert.ok(home && second);
  const cas = home.cas.bind(home);
  home.cas = (...args) => {
    home.cas = cas;
    second.fault = 'hang';
    return cas(...args);
  };
  const saving = save(one, { id: ID, version: 2, base: 1, text: 'mine' });
  await clock.advance(100);
  assert.equal(home.items.get(`shop:${ID}`)?.value.toString(), 'mine');
  await overwrite(home, ID, 'theirs');
  await clock.advance(1_000);
  const result = await saving;
  assert.equal(result.kind === 'conflict' && result.record.toString(), 'theirs');
});

test('a save without two of its first nodes is not acknowledged while others may go on with them', async () => {
  const { nodes, clock, bridge } = setUpNodes(4);
  const one = await bridge();
  for (const index of [0, 1]) {
    const node = nodes[index];
    assert.ok(node);
    node.fault = 'hang';
  }
  const outcome = save(one, { id: ID_OF_FOUR, version: 1, base: null });
  await clock.advance(1_000);
  assert.equal((await outcome).kind, 'unknown');
});

test('a save goes on with one copy as soon as the processes of the other nodes are known to have ended', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  const other = idWithRank([0, 1], 3);
  for (const index of [0, 1]) kill(nodes[index]);
  // The very save that meets them; nobody had noticed before.
  assert.deepEqual(await save(one, { id: other, version: 1, base: null, text: 'alone' }), {
    kind: 'stored',
    home: 2,
    copies: 1,
  });
  assert.equal(await read(one, { id: other }), 'alone @2');
  assert.deepEqual(await destroy(one, other), { kind: 'destroyed' });
});

test('what was on two nodes whose processes have ended is absent, and may be restored', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  for (const index of [0, 1]) kill(nodes[index]);
  assert.equal(await read(one, { id: ID }), 'absent');
  assert.equal((await save(one, { id: ID, version: 2, base: null })).kind, 'stored');
});

test('a node that only one bridge finds unreachable is waited for', async () => {
  const { clock, bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const other = await bridge();
  for (const index of [0, 1]) cutOff.add(index);
  const outcome = save(one, { id: ID, version: 1, base: null });
  await clock.advance(1_000);
  assert.equal((await outcome).kind, 'unknown');
  assert.equal((await save(other, { id: ID, version: 1, base: null })).kind, 'stored');
});

test('a save that two of its first nodes have no memory for is not put where no reader looks', async () => {
  const { nodes, bridge } = setUpNodes(4);
  const one = await bridge();
  await save(one, { id: ID_OF_FOUR, version: 1, base: null });
  for (const index of [0, 1]) {
    const node = nodes[index];
    assert.ok(node);
    node.fault = 'full';
  }
  assert.equal((await save(one, { id: ID_OF_FOUR, version: 2, base: 1 })).kind, 'out_of_memory');
  assert.equal(await read(one, { id: ID_OF_FOUR }), 'record 1 @0');
});

test('a session is restored on nodes that have nothing only after others were asked', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  await destroy(one, ID);
  await overwrite(nodes[2], ID, '');
  for (const index of [0, 1]) nodes[index]?.restartEmpty();
  assert.equal((await save(one, { id: ID, version: 2, base: null })).kind, 'gone');
});

for (const count of [2, 3]) {
  test(`of ${count} nodes, one that came back does not undo a logout that only a silent one knows`, async () => {
    const { nodes, clock, bridge } = setUpNodes(count);
    const one = await bridge();
    const id = idWithRank([0, 1], count);
    const [home, second, third] = nodes;
    assert.ok(home && second);
    await save(one, { id, version: 1, base: null });
    home.fault = 'unreachable';
    await read(one, { id });
    await destroy(one, id);
    home.heal();
    await clock.advance(5_000);
    assert.equal(one.cluster.status()[0]?.state, 'up');
    if (third !== undefined) second.restartEmpty();
    (third ?? second).fault = 'hang';
    const reading = read(one, { id, floor: 1 });
    await clock.advance(1_000);
    assert.equal(await reading, 'unknown');
  });
}

test('a logout outlives two of the three nodes of a session', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  await destroy(one, ID);
  kill(nodes[0]);
  kill(nodes[1]);
  assert.equal(await read(one, { id: ID }), 'gone');
  // As an instance does that still holds the session and hears that the nodes have lost it.
  assert.equal((await save(one, { id: ID, version: 2, base: null })).kind, 'gone');
});

test('no reader shortens the life of a logout, on whatever node it is', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  await destroy(one, ID);
  nodes[0]?.restartEmpty();
  const ttlSeconds = 43_200;
  await one.store.touch({ app: 'shop', ref: { id: ID, index: null }, ttlSeconds });
  for (const { items } of nodes) {
    const endsAt = items.get(`shop:${ID}`)?.expiresAt ?? 0;
    assert.ok(endsAt >= clock.now() + 2 * ttlSeconds * 1_000);
  }
});

test('what a spare has left from when it took the place of a copy is not taken for the newest', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  const [home, second] = nodes;
  assert.ok(home && second);
  await save(one, { id: ID, version: 1, base: null });
  second.fault = 'hang';
  const saving = save(one, { id: ID, version: 2, base: 1 });
  await clock.advance(500);
  assert.equal((await saving).kind, 'stored');
  second.heal();
  await clock.advance(5_000);
  await save(one, { id: ID, version: 3, base: 2 });
  assert.deepEqual(
    nodes.map(({ items }) => items.get(`shop:${ID}`)?.version),
    [3, 3, 2],
  );
  home.restartEmpty();
  second.fault = 'hang';
  for (const floor of [2, null]) {
    const reading = read(one, { id: ID, floor });
    await clock.advance(1_000);
    assert.equal(await reading, 'unknown');
  }
});

test('a session on a node that is being drained is found while its other node is silent', async () => {
  const { nodes, clock, bridge } = setUpNodes(4);
  const one = await bridge();
  const id = idWithRank([0, 1, 2, 3], 4);
  await save(one, { id, version: 1, base: null });
  const list = one.cluster.list.map((entry) =>
    entry.index === 0 ? { ...entry, state: 'draining' as const } : entry,
  );
  assert.deepEqual(one.cluster.apply(list), []);
  assert.ok(nodes[1]);
  nodes[1].fault = 'hang';
  const reading = read(one, { id, floor: 1 });
  await clock.advance(1_000);
  assert.equal(await reading, 'record 1 @1');
});

test('what most of the first nodes hold is believed although all of them have just come back', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  for (const node of nodes) node.fault = 'unreachable';
  assert.equal(await read(one, { id: ID, floor: 1 }), 'unknown');
  for (const node of nodes) node.heal();
  await clock.advance(5_000);
  assert.ok(nodes[2]);
  nodes[2].fault = 'hang';
  const reading = read(one, { id: ID, floor: 1 });
  await clock.advance(1_000);
  assert.equal(await reading, 'record 1 @0');
});

/** Ends the node's process: its memory is gone, and the machine says so. */
function kill(node: FakeNode | undefined): void {
  assert.ok(node);
  node.items.clear();
  node.fault = 'refused';
}

/** Puts a record of the next version on one node only. */
async function overwrite(node: FakeNode | undefined, id: string, text: string): Promise<void> {
  assert.ok(node);
  const key = `shop:${id}`;
  const seen = await node.gets(key);
  const item = { version: (seen?.version ?? 0) + 1, value: Buffer.from(text), ttlSeconds: 60 };
  const outcome = seen === null ? await node.add(key, item) : await node.cas(key, item, seen.cas);
  assert.equal(outcome.stored, true);
}

test('a save under way when its nodes begin to be drained ends where it began', async () => {
  const { bridge } = setUpNodes(5);
  const one = await bridge();
  const id = idWithRank([0, 1, 2, 3, 4], 5);
  await save(one, { id, version: 1, base: null });
  const list = one.cluster.list.map((entry) =>
    entry.index < 2 ? { ...entry, state: 'draining' as const } : entry,
  );
  const saving = save(one, { id, version: 2, base: 1 });
  assert.deepEqual(one.cluster.apply(list), []);
  assert.deepEqual(await saving, { kind: 'stored', home: 0, copies: 2 });
  assert.equal(await read(one, { id, index: 0 }), 'record 2 @2');
});

test('where no process is left that could be asked, nobody is told that the session is absent', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  for (const node of nodes) node.fault = 'refused';
  assert.equal(await read(one, { id: ID }), 'unknown');
  assert.equal(await read(one, { id: ID }), 'unknown', 'also when all are known to be down');
});

test('what was copied away from a node while it died is found', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  kill(nodes[0]);
  assert.equal(await read(one, { id: ID }), 'record 1 @1');
  nodes[2]?.items.clear();
  assert.ok(nodes[1]);
  nodes[1].fault = 'hang';
  const reading = read(one, { id: ID });
  await clock.advance(100);
  // Node 2 has answered that it has nothing; now another reader copies the session there.
  await overwrite(nodes[2], ID, 'copied');
  kill(nodes[1]);
  await assert.rejects(one.cluster.run(1, (node) => node.noop()));
  await clock.advance(1_000);
  assert.equal(await reading, 'copied @2');
});

test('while one of three nodes is drained, bridges that disagree about the others do not both save', async () => {
  const { nodes, bridge } = setUpNodes(3);
  const cutOff = [new Set<number>(), new Set<number>()] as const;
  const [one, two] = [await bridge(cutOff[0]), await bridge(cutOff[1])];
  await save(one, { id: ID, version: 1, base: null });
  for (const { cluster } of [one, two])
    cluster.apply(
      cluster.list.map(({ index, host, port }) => ({
        index,
        host,
        port,
        state: index === 2 ? 'draining' : 'active',
      })),
    );
  assert.ok(nodes[2]);
  nodes[2].fault = 'full';
  cutOff[0].add(0);
  cutOff[1].add(1);
  const saved = [
    await save(one, { id: ID, version: 2, base: 1, text: 'one' }),
    await save(two, { id: ID, version: 2, base: 1, text: 'two' }),
  ];
  assert.deepEqual(
    saved.map(({ kind }) => kind),
    ['out_of_memory', 'out_of_memory'],
  );
});
