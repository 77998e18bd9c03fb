/** The lifetimes of what the bridge writes by itself: copies that were missing, older or untrusted, and tombstones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '@memsession/client/protocol';
import { Lifetimes } from '../../packages/bridge/src/lifetimes.ts';
import {
  APP,
  destroy,
  type FakeBridge,
  type FakeSetup,
  idWithRank,
  read,
  save,
  setUpNodes,
} from '../support/fake-bridge.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** Ranks 0, 1, 2. */
const ID = idWithRank([0, 1, 2], 3);
const DAY = 86_400;
const ABSENT = 'F'.repeat(32);

/** How long the item on a node still lives, seconds. */
function livesFor({ nodes, clock }: FakeSetup, index: number): number {
  const item = nodes[index]?.items.get(`${APP}:${ID}`);
  return item === undefined ? 0 : (item.expiresAt - clock.now()) / 1_000;
}

/** As a client does when the absolute lifetime of a session is nearly over. */
function saveAtTheEndOfItsLife({ store }: FakeBridge): Promise<unknown> {
  const request = { app: APP, ref: { id: ABSENT, index: null }, version: 1, base: null, ttlSeconds: 5 };
  return store.save({ ...request, record: Buffer.from('old') });
}

test('a copy is not repaired with the short rest of life that another session has', async () => {
  const setup = setUpNodes(3);
  const one = await setup.bridge();
  await save(one, { id: ID, version: 1, base: null });
  await saveAtTheEndOfItsLife(one);
  setup.nodes[1]?.items.delete(`${APP}:${ID}`);
  assert.equal(await read(one, { id: ID }), 'record 1 @0');
  assert.ok(livesFor(setup, 1) >= DAY, `${livesFor(setup, 1)} s`);
});

test('a logout is not repaired with the short rest of life that another session has', async () => {
  const setup = setUpNodes(3);
  const one = await setup.bridge();
  await save(one, { id: ID, version: 1, base: null });
  await destroy(one, ID);
  await saveAtTheEndOfItsLife(one);
  setup.nodes[1]?.items.delete(`${APP}:${ID}`);
  assert.equal(await read(one, { id: ID }), 'gone');
  assert.ok(livesFor(setup, 1) >= DAY, `${livesFor(setup, 1)} s`);
});

test('a session whose nodes have all just come back outlives the short rest of life that another one has', async () => {
  const { nodes, clock, bridge } = setUpNodes(3);
  const one = await bridge();
  await save(one, { id: ID, version: 1, base: null });
  for (const node of nodes) node.fault = 'unreachable';
  assert.equal(await read(one, { id: ID }), 'unknown');
  for (const node of nodes) node.heal();
  await clock.advance(5_000);
  await saveAtTheEndOfItsLife(one);
  assert.equal(await read(one, { id: ID }), 'record 1 @0', 'which is written again above the fences');
  await clock.advance(60_000);
  assert.equal(await read(one, { id: ID }), 'record 1 @0');
});

test('of an app that has asked for no lifetime yet, a copy is repaired with the longest there is', async () => {
  const setup = setUpNodes(3);
  await save(await setup.bridge(), { id: ID, version: 1, base: null });
  setup.nodes[1]?.items.delete(`${APP}:${ID}`);
  assert.equal(await read(await setup.bridge(), { id: ID }), 'record 1 @0');
  assert.equal(livesFor(setup, 1), LIMITS.ttlSeconds);
});

test('an app that gives shorter lifetimes than before is followed within two days', async () => {
  const clock = new FakeClock();
  const lifetimes = new Lifetimes(clock);
  lifetimes.note('shop', DAY);
  for (let hour = 0; hour < 48; hour += 1) {
    assert.ok(hour >= 24 || lifetimes.longestOf('shop') === DAY, `hour ${hour}`);
    await clock.advance(3_600_000);
    lifetimes.note('shop', 60);
  }
  assert.equal(lifetimes.longestOf('shop'), 60);
});

test('of very many apps the first are forgotten, not what they need', () => {
  const lifetimes = new Lifetimes(new FakeClock());
  for (let app = 0; app <= 10_000; app += 1) lifetimes.note(`app-${app}`, 60);
  assert.deepEqual([lifetimes.longestOf('app-0'), lifetimes.longestOf('app-1')], [LIMITS.ttlSeconds, 60]);
});
