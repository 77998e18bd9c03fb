import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeList } from '../../packages/bridge/src/node-list.ts';
import { rank, WINDOW_SIZE } from '../../packages/bridge/src/placement.ts';
import { APP, type FakeBridge, read, save, setUpNodes } from '../support/fake-bridge.ts';

const COUNT = 12;
const INDEXES = Array.from({ length: COUNT }, (_, index) => index);
const ID = '602F7397FBE4D9932E59A9D0E52FE178';

/** Gives these nodes another state, as a list that is read again does. */
function setState({ cluster }: FakeBridge, indexes: readonly number[], state: 'draining' | 'removed'): void {
  const list: NodeList = cluster.list.map((entry) =>
    indexes.includes(entry.index) ? { ...entry, state } : entry,
  );
  assert.deepEqual(cluster.apply(list), []);
}

test('a session whose whole window is drained leaves it when it is used, and outlives the removal', async () => {
  const { nodes, bridge } = setUpNodes(COUNT);
  const one = await bridge();
  const window = rank(ID, INDEXES, WINDOW_SIZE);
  await save(one, { id: ID, version: 1, base: null });
  setState(one, window, 'draining');
  assert.match(await read(one, { id: ID }), /^record 1 /);
  const holders = nodes.filter(({ items }) => items.has(`${APP}:${ID}`)).map(({ index }) => index);
  assert.equal(holders.filter((index) => !window.includes(index)).length, 2, `on ${holders.join()}`);
  assert.equal((await save(one, { id: ID, version: 2, base: 1 })).kind, 'stored');
  setState(one, window, 'removed');
  assert.match(await read(one, { id: ID }), /^record 2 /);
});
