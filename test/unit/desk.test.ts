import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Desk } from '../../packages/bridge/src/desk.ts';
import type { NodeLook } from '../../packages/bridge/src/member.ts';
import { FakeClock } from '../support/fake-clock.ts';

test('of a node that was removed while it was down nobody is told when another one goes down', async () => {
  const clock = new FakeClock();
  const look = (index: number, state: NodeLook['state']): NodeLook => {
    return { index, address: '', state, isDraining: false, since: 0, reason: '' };
  };
  let nodes = [look(0, 'up'), look(1, 'up'), look(2, 'up')];
  const member = {
    id: 0,
    lastMetrics: [],
    look: async () => ({ metrics: [], nodes, epoch: 1, notReady: null, isInDoubt: false }),
    facts: async () => [],
    explain: async () => ({ steps: [], home: null, because: [] }),
  };
  const desk = new Desk({
    crew: {
      members: () => [member],
      leaving: () => [],
      retired: () => [],
      crashes: 0,
      setNodes: () => {},
      setApps: () => {},
    },
    clock,
    wallClock: () => clock.now(),
    log: pino({ level: 'silent' }),
    maxRecordBytes: 1_000,
    fileProblems: () => [],
  });
  const goesDown = (index: number): string => {
    desk.transitioned(0, { index, from: 'up', to: 'down', reason: 'connection lost' });
    return desk.incidents.at(-1)?.text ?? '';
  };
  await clock.advance(1_000);
  assert.match(goesDown(1), /served by their other copies/);
  nodes = [look(0, 'up'), look(1, 'removed'), look(2, 'up')];
  await clock.advance(2_000);
  assert.match(goesDown(2), /served by their other copies/);
  nodes = [look(0, 'up'), look(1, 'removed'), look(2, 'down')];
  await clock.advance(1_000);
  assert.match(goesDown(0), /cannot be answered/);
  desk.stop();
});
