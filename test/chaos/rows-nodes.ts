/** Rows in which nodes fail. */
import type { Arena, Heal, Row } from './arena.ts';
import { fewFalls, noNewCookie } from './demands.ts';
import { empty, fill, readStatistic, squat } from './fillers.ts';

const killNode: Row = {
  id: 'F4',
  title: 'A node is killed',
  fault: async (arena) => {
    const node = arena.pickNode();
    const { memcached } = arena.stack.node(node);
    arena.tell(`kill -9 node ${node}`);
    await memcached.kill();
    await arena.goOn();
    return async () => {
      arena.tell(`start node ${node}, empty`);
      await memcached.restart();
    };
  },
};

const stopNode: Row = {
  id: 'F5',
  title: 'A node stands still',
  leastMs: 3_000,
  fault: (arena) => standStill(arena, async () => {}),
  demands: ({ states, phases }) => {
    const down = states.find(({ to, at }) => to === 'down' && at >= phases.fault);
    return [{ what: 'the node is put down', isHeld: down !== undefined, detail: '' }];
  },
};

const stopAndContinue: Row = {
  id: 'F6',
  title: 'A node stands still and goes on; old cookies come back',
  leastMs: 3_000,
  fault: async (arena) => {
    const lookWithOldCookies = arena.workload.rememberTabs();
    return standStill(arena, lookWithOldCookies);
  },
};

async function standStill(arena: Arena, afterwards: () => Promise<void>): Promise<Heal> {
  const node = arena.pickNode();
  const { memcached } = arena.stack.node(node);
  arena.tell(`SIGSTOP node ${node}`);
  await memcached.stop();
  await arena.goOn();
  return async () => {
    arena.tell(`SIGCONT node ${node}`);
    memcached.resume();
    await afterwards();
  };
}

const restartNode: Row = {
  id: 'F7',
  title: 'A node restarts empty',
  fault: async (arena) => {
    const node = arena.pickNode();
    arena.tell(`restart node ${node}`);
    await arena.stack.node(node).memcached.restart();
    await arena.goOn();
    return async () => {};
  },
};

const stopAllNodes: Row = {
  id: 'F11',
  title: 'All nodes stand still',
  fault: async (arena) => {
    const { nodes } = arena.stack;
    arena.tell('SIGSTOP all nodes');
    await Promise.all(nodes.map(({ memcached }) => memcached.stop()));
    await arena.goOn();
    return async () => {
      arena.tell('SIGCONT all nodes');
      for (const { memcached } of nodes) memcached.resume();
    };
  },
  demands: (seen) => [noNewCookie(seen, seen.phases.fault + 100, seen.phases.heal)],
};

const killAllNodes: Row = {
  id: 'F11b',
  title: 'All nodes restart empty',
  fault: async (arena) => {
    const { nodes } = arena.stack;
    arena.tell('kill -9 all nodes');
    await Promise.all(nodes.map(({ memcached }) => memcached.kill()));
    await arena.goOn();
    return async () => {
      // What instances still hold goes back to the nodes; nothing is promised.
      arena.lose('*', 'all nodes have lost their memory');
      arena.tell('start all nodes, empty');
      await Promise.all(nodes.map(({ memcached }) => memcached.restart()));
    };
  },
  demands: (seen) => [noNewCookie(seen, seen.phases.fault + 100, seen.phases.heal)],
};

const evictingNode: Row = {
  id: 'F14',
  title: 'A node forgets for want of memory',
  isAlone: true,
  leastMs: 8_000,
  prepare: async ({ stack }) => stack.replaceNode(0, ['-m', '2', '-I', '512k']),
  fault: async (arena) => {
    const { memcached } = arena.stack.node(0);
    arena.tell('node 0 is filled');
    const giveUpAt = arena.now() + arena.faultMs;
    const count = await fill(0, memcached, (so) => so > 40_000 || arena.now() > giveUpAt);
    const evictions = await readStatistic(0, memcached, 'evictions');
    arena.demand('the node forgets', evictions > 0, `${evictions} evictions after ${count} items`);
    const isTold = await arena.stack.bridge(0).isWarned('"evicted"', 15_000);
    arena.demand('the operator is warned', isTold);
    return async () => {};
  },
};

const fullNodes: Row = {
  id: 'F21',
  title: 'All nodes are full and may not forget',
  flags: ['-m', '4', '-M', '-I', '512k'],
  isAlone: true,
  fault: async (arena) => {
    const { nodes } = arena.stack;
    arena.tell('all nodes are filled');
    const counts = await Promise.all(
      nodes.map(({ index, memcached }) => fill(index, memcached, () => false)),
    );
    await arena.goOn();
    return async () => {
      arena.tell('the nodes have room again');
      await Promise.all(nodes.map(({ index, memcached }) => empty(index, memcached, counts[index] ?? 0)));
    };
  },
  demands: (seen) => {
    const { operations, phases, events } = seen;
    const refused =
      operations.filter(({ error }) => error === 'out_of_memory').length + (events['fallback'] ?? 0);
    const nodeFalls = fewFalls({ ...seen, states: seen.states.filter(({ at }) => at < phases.heal) }, 0);
    return [
      { what: 'saves find no room', isHeld: refused > 0, detail: '' },
      { ...nodeFalls, what: 'a full node is no bad node' },
    ];
  },
};

const crowdedNode: Row = {
  id: 'F22',
  title: 'A node has no connection to spare',
  isAlone: true,
  prepare: async ({ stack }) => stack.replaceNode(0, ['-c', '24']),
  fault: async (arena) => {
    const { memcached, edges } = arena.stack.node(0);
    arena.tell('40 connections to node 0, and those of the bridges break');
    const leave = await squat(memcached.port, 40);
    for (const edge of edges) edge.resetPeers();
    await arena.goOn();
    return async () => {
      arena.tell('the 40 connections are closed');
      leave();
    };
  },
};

export const NODE_ROWS: readonly Row[] = [
  killNode,
  stopNode,
  stopAndContinue,
  restartNode,
  stopAllNodes,
  killAllNodes,
  evictingNode,
  fullNodes,
  crowdedNode,
];
