/** Which items a bridge believes while other bridges do without a node that it uses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Trust } from '../../packages/bridge/src/trust.ts';
import {
  destroy,
  type FakeBridge,
  type FakeSetup,
  idWithRank,
  read,
  save,
  setUpNodes,
} from '../support/fake-bridge.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { FakeNode } from '../support/fake-node.ts';

/** Longer than the grace: what does not answer for so long counts as lost. */
const LAPSE_MS = 35_000;
const STEP_MS = 100;
/** For so long after a return the bridges may still disagree. */
const STEPS = 100;
/** Each ranks 0, 1, 2; only the first half of an id is looked at. */
const IDS = Array.from({ length: STEPS }, (_, number) =>
  idWithRank([0, 1, 2], 3).slice(0, 16).concat(number.toString(16).toUpperCase().padStart(16, '0')),
);

test('a logout through a bridge that has not two nodes back yet holds through one that has', async () => {
  const { setup, cutOffs, bridges } = await lapse(2);
  const [one, two] = bridges;
  assert.ok(one && two);
  cutOffs[1]?.clear();
  await useAll(setup, two);
  await endAll(setup, { through: one, readThrough: two });
});

test('a logout holds through a bridge that starts while another one does without two nodes', async () => {
  const { setup, bridges } = await lapse(1);
  const [one] = bridges;
  assert.ok(one);
  await endAll(setup, { through: one, readThrough: await setup.bridge() });
});

test('when one bridge has two nodes back, a logout through another that has not still holds', async () => {
  const { setup, cutOffs, bridges } = await lapse(3);
  const [one, two, three] = bridges;
  assert.ok(one && two && three);
  cutOffs[1]?.clear();
  await useAll(setup, two);
  cutOffs[2]?.clear();
  await useAll(setup, three);
  await endAll(setup, { through: one, readThrough: two });
});

test('a bridge that was cut off from all nodes gives up none of them when the first one is back', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const cutOff = new Set<number>();
  const one = await bridge(cutOff);
  const two = await bridge();
  const [id = '', other = ''] = IDS;
  for (const each of [id, other]) await save(two, { id: each, version: 1, base: null });
  for (const { index } of nodes) cutOff.add(index);
  await clock.advance(LAPSE_MS);
  cutOff.delete(2);
  one.cluster.nudge();
  await clock.advance(200);
  assert.equal(one.cluster.status()[2]?.state, 'up');
  assert.equal(await read(one, { id }), 'unknown');
  assert.deepEqual(await destroy(one, other), { kind: 'unknown' });
  assert.equal(await read(two, { id }), 'record 1 @0');
  await clock.advance(LAPSE_MS);
  assert.equal(await read(one, { id }), 'absent');
  assert.deepEqual(await destroy(one, id), { kind: 'destroyed' });
  assert.equal(await read(two, { id }), 'gone');
});

test('a bridge that has given up a node asks it once more before it says that nobody has the session', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const cutOff = new Set([0]);
  const one = await bridge(cutOff);
  const two = await bridge();
  const [id = ''] = IDS;
  await clock.advance(LAPSE_MS);
  assert.equal(await read(one, { id }), 'absent');
  await clock.advance(5_000);
  // The others have used it all the while, and it can be reached again, but its next probe is not due.
  await save(two, { id, version: 1, base: null });
  cutOff.clear();
  for (const { cluster } of [one, two])
    assert.equal(cluster.status()[0]?.state, cluster === one.cluster ? 'down' : 'up');
  const other = nodes[1];
  assert.ok(other);
  other.restartEmpty();
  other.fault = 'refused';
  assert.equal(await read(one, { id }), 'unknown');
  await clock.advance(500);
  assert.equal(await read(one, { id }), 'record 1 @0');
});

test('two nodes are believed again when the last bridge has had them back for a look', async () => {
  const { setup, cutOffs, bridges } = await lapse(2);
  const [one, two] = bridges;
  assert.ok(one && two);
  for (const cutOff of cutOffs) cutOff.clear();
  await useAll(setup, one);
  await useAll(setup, two);
  await setup.clock.advance(2_500);
  for (const bridge of bridges) assert.equal(await asksThird(setup, bridge), false);
});

test('a bridge that starts after all have a node back believes it at once', async () => {
  const { setup, cutOffs, bridges } = await lapse(2);
  for (const cutOff of cutOffs) cutOff.clear();
  for (const bridge of bridges) await useAll(setup, bridge);
  assert.equal(await asksThird(setup, await setup.bridge()), false);
});

test('the note of a bridge that has ended makes a node doubtful for a few looks, and is cleared away', async () => {
  const { nodes, trust } = watch();
  const ended = trust({ out: [0] });
  ended.wentOut(0);
  await ended.look();
  const next = trust();
  const cas = await admitAll(next, nodes);
  assert.equal(next.isTrusted(0, cas + 1n), false);
  for (let look = 0; look < 3; look += 1) await next.look();
  assert.equal(next.isTrusted(0, cas + 1n), false, 'what was stored meanwhile needs confirmation');
  assert.equal(next.isTrusted(0, cas + 100n), true);
  await next.look();
  assert.equal(nodes[1]?.items.get('_out')?.value.toString(), '');
  const last = trust();
  await admitAll(last, nodes);
  assert.equal(last.isTrusted(0, cas + 100n), true);
});

test('a note counts as long as it is renewed, also when its clock has been set back', async () => {
  const { nodes, trust } = watch();
  let now = 1_000_000;
  const without = trust({ out: [0], wallClock: () => now });
  without.wentOut(0);
  const withIt = trust();
  const cas = await admitAll(withIt, nodes);
  now -= 3_600_000;
  for (let look = 0; look < 10; look += 1) {
    await without.look();
    await withIt.look();
    assert.equal(withIt.isTrusted(0, cas + 100n), false);
  }
});

test('a note about another node is met on the one that comes back with it', async () => {
  const { nodes, trust } = watch();
  const without = trust({ out: [0, 1] });
  for (const index of [0, 1]) without.wentOut(index);
  await without.look();
  const out = [2];
  const withIt = trust({ out });
  const cas = await admitAll(withIt, nodes.slice(0, 2));
  assert.equal(withIt.isTrusted(0, cas + 100n), true);
  out.pop();
  await admitAll(withIt, nodes.slice(2));
  assert.equal(withIt.isTrusted(0, cas + 100n), false);
});

/** Bridges that all have lost sight of two nodes of three beyond the grace; each may be given them back. */
async function lapse(
  count: number,
): Promise<{ setup: FakeSetup; cutOffs: Set<number>[]; bridges: FakeBridge[] }> {
  const setup = setUpNodes(3);
  const cutOffs = Array.from({ length: count }, () => new Set<number>());
  const bridges: FakeBridge[] = [];
  for (const cutOff of cutOffs) bridges.push(await setup.bridge(cutOff));
  const [first] = bridges;
  assert.ok(first);
  for (const id of IDS) await save(first, { id, version: 1, base: null });
  for (const cutOff of cutOffs) for (const index of [0, 1]) cutOff.add(index);
  await setup.clock.advance(LAPSE_MS);
  return { setup, cutOffs, bridges };
}

async function useAll({ clock }: FakeSetup, { cluster }: FakeBridge): Promise<void> {
  for (let step = 0; step < 400; step += 1) {
    if (cluster.status().every(({ state }) => state === 'up')) return;
    // Both at once, and not each after a pause of its own.
    cluster.nudge();
    await clock.advance(STEP_MS);
  }
  assert.fail('the nodes do not come back');
}

/** Ends one session after the other through one bridge, and looks at each through another one. */
async function endAll(
  { clock }: FakeSetup,
  { through, readThrough }: { readonly through: FakeBridge; readonly readThrough: FakeBridge },
): Promise<void> {
  for (const [step, id] of IDS.entries()) {
    assert.equal(await read(readThrough, { id }), 'record 1 @0');
    assert.deepEqual(await destroy(through, id), { kind: 'destroyed' });
    assert.equal(await read(readThrough, { id }), 'gone', `after ${step * STEP_MS} ms`);
    await clock.advance(STEP_MS);
  }
}

/** Whether a bridge that has seen a session on its two copies asks the third node as well. */
async function asksThird({ nodes }: FakeSetup, bridge: FakeBridge): Promise<boolean> {
  const [id = ''] = IDS;
  await read(bridge, { id });
  const before = nodes[2]?.calls.get('gets');
  assert.equal(await read(bridge, { id }), 'record 1 @0');
  return nodes[2]?.calls.get('gets') !== before;
}

interface Watcher {
  /** Nodes that it does not use, changeable. */
  readonly out?: readonly number[];
  readonly wallClock?: () => number;
}

/** Three nodes, and the trust of bridges over them. */
function watch(): { readonly nodes: readonly FakeNode[]; readonly trust: (of?: Watcher) => Trust } {
  const nodes = Array.from({ length: 3 }, (_, index) => new FakeNode(index, new FakeClock()));
  let bridges = 0;
  const trust = ({ out = [], wallClock = (): number => 1_000_000 }: Watcher = {}): Trust => {
    bridges += 1;
    const name = bridges / 100;
    const made = new Trust({
      wallClock,
      random: () => name,
      nodes: () => nodes.map((node) => ({ node, isAvailable: !out.includes(node.index) })),
      run: async (index, operation) => operation(nodes[index] ?? assert.fail('there is no such node')),
    });
    for (const { index } of nodes) made.add(index, false);
    return made;
  };
  return { nodes, trust };
}

/** Admits these nodes, and returns the CAS number that the first one gave last. */
async function admitAll(trust: Trust, nodes: readonly FakeNode[]): Promise<bigint> {
  for (const node of nodes) await trust.admit(node);
  const items = [...(nodes[0]?.items.values() ?? [])].map(({ cas }) => cas);
  return items.reduce((most, cas) => (cas > most ? cas : most), 0n);
}
