import { setUpApp, BRIDGE_SECRET as APP_BRIDGE_SECRET } from '../support/app.ts';
import { BRIDGE_SECRET } from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { testClientWith } from './client-bridge.scenarios.ts';

const NODES = 3;

testClientWith('bridge in memory', async () => {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] }, nodes: NODES });
  return {
    fetch: bridge.fetch,
    wipe: () => bridge.wipe(),
    stopNode: (index) => bridge.down.add(index),
    stopAllNodes: () => {
      for (let index = 0; index < NODES; index += 1) bridge.down.add(index);
    },
    startNodes: async () => bridge.down.clear(),
  };
});

testClientWith('real bridge', async () => {
  const apps = new Map([['default', { secrets: [BRIDGE_SECRET, APP_BRIDGE_SECRET] }]]);
  const { nodes, clock, fetch } = await setUpApp({ apps, nodes: NODES });
  return {
    fetch: (url, init) => fetch(url, init),
    wipe: () => {
      for (const node of nodes) node.restartEmpty();
    },
    stopNode: (index) => {
      const node = nodes[index];
      if (node !== undefined) node.fault = 'unreachable';
    },
    stopAllNodes: () => {
      for (const node of nodes) node.fault = 'unreachable';
    },
    startNodes: async () => {
      for (const node of nodes) node.heal();
      // Longer than the longest pause between two probes.
      await clock.advance(60_000);
    },
  };
});
