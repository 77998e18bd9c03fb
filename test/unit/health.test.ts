import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health, type Transition } from '../../packages/bridge/src/health.ts';
import { NodeError, type NodeErrorKind } from '../../packages/bridge/src/node.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

/** A health module over nodes that answer probes as long as they are in `alive`. */
async function setUp(nodes: number) {
  const clock = new FakeClock();
  const alive = new Set(Array.from({ length: nodes }, (_, index) => index));
  /** How probes of a node that is not alive fail, each in its turn, the last one for ever. */
  const endings: NodeErrorKind[] = ['unreachable'];
  const probes: { index: number; at: number }[] = [];
  const transitions: Transition[] = [];
  const admitted: number[] = [];
  const state = { lagMs: 0 };
  const health = new Health({
    clock,
    random: () => 1,
    lossGraceMs: 30_000,
    probe: async (index) => {
      probes.push({ index, at: clock.now() });
      if (!alive.has(index)) {
        const kind = endings.length > 1 ? endings.shift() : endings[0];
        throw new NodeError(index, 'noop', kind ?? 'unreachable');
      }
    },
    admit: async (index) => {
      admitted.push(index);
    },
    lagMs: () => state.lagMs,
    onTransition: (transition) => transitions.push(transition),
  });
  for (const index of alive) void health.add(index);
  await settle();
  return { clock, alive, endings, probes, transitions, admitted, health, state };
}

test('a refused connection and a lost one put a node down at once', async () => {
  const { health } = await setUp(5);
  health.failed(0, 'unreachable');
  health.connectionLost(1);
  assert.deepEqual(
    [0, 1, 2].map((index) => health.isAvailable(index)),
    [false, false, true],
  );
});

test('three time-outs in a row put a node down, an answer between them does not', async () => {
  const { health } = await setUp(3);
  health.failed(0, 'timeout');
  health.failed(0, 'timeout');
  assert.equal(health.list()[0]?.state, 'suspected');
  health.succeeded(0);
  assert.equal(health.list()[0]?.state, 'up');
  health.failed(0, 'timeout');
  health.failed(0, 'timeout');
  assert.equal(health.isAvailable(0), true);
  health.failed(0, 'timeout');
  assert.equal(health.list()[0]?.state, 'down');
});

test('what a client can cause never counts against a node', async () => {
  const { health, transitions } = await setUp(3);
  transitions.length = 0;
  for (let i = 0; i < 50; i += 1) {
    for (const kind of ['busy', 'out_of_memory', 'too_large', 'server', 'closed'] as const)
      health.failed(0, kind);
  }
  assert.deepEqual(transitions, []);
});

test('time-outs while our own event loop is behind prove nothing', async () => {
  const { health, state } = await setUp(3);
  state.lagMs = 2_000;
  for (let i = 0; i < 10; i += 1) health.failed(0, 'timeout');
  assert.equal(health.list()[0]?.state, 'up');
});

test('two good probes bring a node back, after it was made fit for use', async () => {
  const { clock, alive, probes, admitted, health, transitions } = await setUp(3);
  health.failed(0, 'unreachable');
  alive.delete(0);
  await clock.advance(1_500);
  alive.add(0);
  probes.length = 0;
  admitted.length = 0;
  await clock.advance(2_000);
  assert.equal(health.isAvailable(0), true);
  assert.equal(probes.length, 2);
  assert.deepEqual(admitted, [0]);
  assert.deepEqual(
    transitions.slice(-3).map(({ to }) => to),
    ['down', 'probing', 'up'],
  );
});

test('a late answer to old traffic does not bring a node back', async () => {
  const { health } = await setUp(3);
  health.failed(0, 'unreachable');
  health.succeeded(0);
  assert.equal(health.isAvailable(0), false);
});

test('probes of a dead node become rarer, up to every 30 seconds', async () => {
  const { clock, alive, probes, health } = await setUp(3);
  alive.delete(0);
  health.failed(0, 'unreachable');
  probes.length = 0;
  await clock.advance(120_000);
  const gaps = probes.slice(1).map(({ at }, index) => at - (probes[index]?.at ?? 0));
  assert.deepEqual(gaps, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test('while every node is out they are probed each second', async () => {
  const { clock, alive, probes, health } = await setUp(2);
  for (const index of [0, 1]) {
    alive.delete(index);
    health.failed(index, 'unreachable');
  }
  await clock.advance(60_000);
  probes.length = 0;
  await clock.advance(10_000);
  assert.ok(probes.length >= 16, `${probes.length}`);
});

test('traffic that finds no node asks for a probe, at most every 200 ms', async () => {
  const { clock, alive, probes, health } = await setUp(1);
  alive.delete(0);
  health.failed(0, 'unreachable');
  await clock.advance(250);
  probes.length = 0;
  for (let i = 0; i < 100; i += 1) {
    health.nudge();
    await settle();
  }
  assert.equal(probes.length, 1);
});

test('a node that flaps waits longer before it is asked again', async () => {
  const { clock, probes, health } = await setUp(3);
  const firstProbes: number[] = [];
  await clock.advance(61_000);
  for (let fall = 0; fall < 4; fall += 1) {
    health.failed(0, 'unreachable');
    probes.length = 0;
    const fell = clock.now();
    await clock.advance(20_000);
    firstProbes.push((probes[0]?.at ?? 0) - fell);
  }
  assert.deepEqual(firstProbes, [1_000, 1_000, 2_000, 4_000]);
});

test('with half of the nodes out, silence takes no further node out, refusal does', async () => {
  const { health } = await setUp(4);
  health.failed(0, 'unreachable');
  health.failed(1, 'unreachable');
  assert.equal(health.isInDoubt, true);
  for (let i = 0; i < 10; i += 1) health.failed(2, 'timeout');
  assert.equal(health.list()[2]?.state, 'suspected');
  health.failed(3, 'unreachable');
  assert.equal(health.isAvailable(3), false);
});

test('memory counts as lost after the grace, and not while the node is up', async () => {
  const { clock, alive, health } = await setUp(3);
  alive.delete(0);
  health.failed(0, 'unreachable');
  await clock.advance(29_000);
  assert.equal(health.isLost(0), false);
  await clock.advance(1_000);
  assert.equal(health.isLost(0), true);
  assert.equal(health.isLost(1), false);
});

test('the time in which no node answers is no part of the grace', async () => {
  const { health, alive, clock } = await setUp(3);
  alive.clear();
  for (const index of [0, 1]) health.failed(index, 'unreachable');
  // Half of the nodes being out, this one stays in use, but it does not answer.
  health.failed(2, 'timeout');
  await clock.advance(40_000);
  health.succeeded(2);
  assert.equal(health.isLost(0), false);
  await clock.advance(29_000);
  // Not even the shortest silence of the last one makes the others wait for the whole grace again.
  health.failed(2, 'timeout');
  await clock.advance(100);
  health.succeeded(2);
  await clock.advance(1_200);
  assert.deepEqual([health.isLost(0), health.isLost(1)], [true, true]);
});

test('a silence that is not of late is asked about again, and one of late is not', async () => {
  const { clock, health, alive } = await setUp(3);
  alive.delete(0);
  health.failed(0, 'unreachable');
  // Probes come every half minute by now, the last one 9 seconds ago.
  await clock.advance(100_000);
  await health.confirmLosses([0, 1, 2]);
  assert.equal(health.isLost(0), true);
  alive.add(0);
  await health.confirmLosses([0, 1, 2]);
  assert.equal(health.isLost(0), true, 'it was asked a moment ago');
  await clock.advance(2_100);
  await health.confirmLosses([0, 1, 2]);
  assert.deepEqual([health.isLost(0), health.isAvailable(0)], [false, false]);
  await clock.advance(250);
  assert.equal(health.isAvailable(0), true, 'it need not wait for its next probe');
});

test('a process that has ended counts as lost, as long as its machine says so', async () => {
  const { clock, health, alive, endings } = await setUp(3);
  alive.delete(0);
  endings.splice(0, 1, 'refused');
  health.failed(0, 'refused');
  await health.learnDeaths();
  assert.equal(health.isLost(0), true);
  await clock.advance(600);
  assert.equal(health.isLost(0), false, 'the proof is old');
  await health.learnDeaths();
  assert.equal(health.isLost(0), true, 'and was renewed');
  await clock.advance(1_200);
  // Another process: other bridges may already write to it.
  alive.add(0);
  await health.learnDeaths();
  assert.deepEqual([health.isLost(0), health.isAvailable(0)], [false, false]);
  await clock.advance(250);
  assert.equal(health.isAvailable(0), true, 'it need not wait for its next probe');
});

test('what only breaks or cannot be reached is no proof', async () => {
  const { clock, health, alive, endings } = await setUp(3);
  alive.delete(0);
  endings.splice(0, 1, 'refused', 'unreachable');
  health.failed(0, 'unreachable');
  await health.learnDeaths();
  await clock.advance(600);
  await health.learnDeaths();
  assert.equal(health.isLost(0), false);
  await clock.advance(30_000);
  assert.equal(health.isLost(0), true, 'the grace is over');
});

test('a node whose connections break is asked at once whether its process has ended', async () => {
  const { health, alive, endings } = await setUp(3);
  alive.delete(0);
  // The probe's own connection may break with the others.
  endings.splice(0, 1, 'closed', 'refused');
  health.connectionLost(0);
  assert.equal(health.isLost(0), false);
  await health.learnDeaths();
  assert.equal(health.isLost(0), true);
  health.connectionLost(1);
  await health.learnDeaths();
  assert.deepEqual([health.isLost(1), health.isAvailable(1)], [false, false]);
});

test('a process that ends while its node is down counts as lost when somebody needs to know', async () => {
  const { clock, health, alive, endings } = await setUp(3);
  alive.delete(0);
  for (let count = 0; count < 3; count += 1) health.failed(0, 'timeout');
  await clock.advance(1_000);
  assert.equal(health.isLost(0), false);
  endings.splice(0, 1, 'refused');
  await clock.advance(4_000);
  await health.learnDeaths();
  assert.equal(health.isLost(0), true);
});

test('a node that leaves the list while it is probed is forgotten', async () => {
  const { clock, alive, health, transitions } = await setUp(2);
  alive.delete(0);
  health.failed(0, 'unreachable');
  transitions.length = 0;
  health.remove(0);
  await clock.advance(60_000);
  assert.deepEqual(transitions, []);
  assert.equal(health.list().length, 1);
});
