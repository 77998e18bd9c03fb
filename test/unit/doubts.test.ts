import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Doubts } from '../../packages/bridge/src/doubts.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('a doubt ends after five minutes, also about a node that is never used again', async () => {
  const clock = new FakeClock();
  const doubts = new Doubts(clock);
  doubts.add(0, 'shop:a');
  await clock.advance(60_000);
  doubts.add(0, 'shop:b');
  assert.deepEqual([doubts.size, doubts.nodes()], [2, [0]]);
  await clock.advance(240_000);
  assert.deepEqual([doubts.size, doubts.nodes()], [1, [0]]);
  await clock.advance(60_000);
  assert.deepEqual([doubts.size, doubts.nodes()], [0, []]);
  assert.equal(doubts.has(0, 'shop:b'), false);
});
