import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Doubts } from '../../packages/bridge/src/doubts.ts';
import { Settler } from '../../packages/bridge/src/settler.ts';
import { setUpNodes } from '../support/fake-bridge.ts';

test('a doubt that cannot be settled for a defect ends nothing: it and the others are tried again', async () => {
  const { clock, bridge } = setUpNodes(1);
  const { cluster } = await bridge();
  const doubts = new Doubts(clock);
  doubts.add(0, 'shop:a');
  doubts.add(0, 'shop:b');
  const asked: string[] = [];
  const confirm = async (key: string): Promise<void> => {
    asked.push(key);
    if (key === 'shop:a') throw new TypeError('a defect');
    doubts.clear(0, key);
  };
  const settler = new Settler({ clock, cluster, doubts, confirm });
  await clock.advance(2_500);
  settler.stop();
  assert.deepEqual(asked, ['shop:a', 'shop:b', 'shop:a']);
});
