/**
 * Bridges read a change of the node list at different times, up to minutes apart. About one node they may disagree; why
 * not about two, docs/operations.md tells.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeEntry } from '../../packages/bridge/src/node-list.ts';
import { type FakeBridge, idWithRank, read, save, setUpNodes } from '../support/fake-bridge.ts';

const COUNT = 5;

/** Gives these nodes another state for one bridge only. */
function change({ cluster }: FakeBridge, indexes: readonly number[], state: NodeEntry['state']): void {
  const list = cluster.list.map((entry) => (indexes.includes(entry.index) ? { ...entry, state } : entry));
  assert.deepEqual(cluster.apply(list), []);
}

/** What the other bridge shows and does after each has saved once, the one that has changed its list first. */
async function play(
  indexes: readonly number[],
  state: NodeEntry['state'],
  ranked: readonly number[],
): Promise<string[]> {
  const { clock, bridge } = setUpNodes(COUNT);
  const id = idWithRank(ranked, COUNT);
  const [ahead, behind] = [await bridge(), await bridge()];
  await save(behind, { id, version: 1, base: null });
  change(ahead, indexes, state);
  await clock.advance(3_000);
  const saved = await save(ahead, { id, version: 2, base: 1, text: 'ahead' });
  const shown = await read(behind, { id });
  const late = await save(behind, { id, version: 2, base: 1, text: 'behind' });
  const next = await save(behind, { id, version: 3, base: 2, text: 'next' });
  const shownAhead = await read(ahead, { id });
  return [saved.kind, shown, late.kind, next.kind, shownAhead].map((text) => text.replace(/ @\d$/, ''));
}

for (const state of ['draining', 'removed'] as const) {
  for (const index of [0, 1, 2, 3]) {
    test(`bridges that disagree whether node ${index} of a session is ${state} see each other's saves`, async () => {
      assert.deepEqual(await play([index], state, [0, 1, 2, 3, 4]), [
        'stored',
        'ahead',
        'conflict',
        'stored',
        'next',
      ]);
    });
  }
}
