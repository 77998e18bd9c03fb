/** Rows in which the network between bridges and nodes, or between instances and bridges, fails. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultProxy, Toxics } from '../support/fault-proxy.ts';
import type { Arena, Row } from './arena.ts';
import { fewFalls } from './demands.ts';

const slowNode: Row = {
  id: 'F8',
  title: 'A node is slow: 50, 200, 450, 600 ms',
  leastMs: 4_000,
  fault: async (arena) => {
    const node = arena.pickNode();
    const { edges } = arena.stack.node(node);
    for (const latencyMs of [50, 200, 450, 600]) {
      arena.tell(`node ${node} answers ${latencyMs} ms later`);
      for (const edge of edges) edge.poison('down', { latencyMs, jitterMs: latencyMs / 5 });
      await arena.goOn(0.25);
    }
    return () => heal(arena, edges, `node ${node} answers at once`);
  },
  demands: (seen) => [fewFalls(seen, 1 + Math.ceil((seen.phases.heal - seen.phases.fault) / 10_000))],
};

const partition: Row = {
  id: 'F9',
  title: 'The bridges are cut off from a node in silence',
  leastMs: 3_000,
  fault: async (arena) => {
    const node = arena.pickNode();
    const { edges } = arena.stack.node(node);
    arena.tell(`nothing passes between the bridges and node ${node}`);
    const before = edges.map(({ counts }) => counts.accepted);
    for (const edge of edges) silence(edge);
    await arena.goOn();
    const attempts = Math.max(...edges.map(({ counts }, i) => counts.accepted - (before[i] ?? 0)));
    // A handful of connections, each tried again a few times a second at most.
    const most = 20 + arena.faultMs / 100;
    arena.demand('the bridges do not storm the node', attempts <= most, `${attempts} connections`);
    return async () => {
      // What vanished would have been sent again by a real network, in its place; here the streams have holes.
      for (const edge of edges) edge.resetPeers();
      await heal(arena, edges, `node ${node} can be reached again`);
    };
  },
};

const oneSidedView: Row = {
  id: 'F10',
  title: 'One bridge has lost a node, the other has not',
  fault: async (arena) => {
    const node = arena.pickNode();
    const bridge = arena.pickBridge();
    const edge = arena.stack.edge(bridge, node);
    arena.tell(`bridge ${bridge} cannot reach node ${node}`);
    await edge.refuse();
    edge.resetPeers();
    await arena.goOn();
    return async () => {
      arena.tell(`bridge ${bridge} can reach node ${node}`);
      await edge.accept();
    };
  },
};

const brokenAnswers: Row = {
  id: 'F18',
  title: 'Requests break off at any byte',
  load: { abortShare: 0.1 },
  fault: async (arena) => {
    const { fronts } = arena.stack;
    arena.tell('connections between instances and bridges break in the middle');
    const stopAt = arena.now() + arena.faultMs;
    while (arena.now() < stopAt) {
      const front = arena.random.pick(fronts);
      const direction = arena.random.chance(0.5) ? 'up' : 'down';
      const limitBytes = 1 + arena.random.below(4_000);
      front.poison(direction, { limitBytes, isResetting: arena.random.chance(0.5) });
      await sleep(60);
      front.heal();
      await sleep(60);
    }
    return () => heal(arena, fronts, 'connections last again');
  },
};

/** One byte at a time would be all that this process does; single bytes are for the tests of the driver. */
const PIECES: readonly Toxics[] = [
  { sliceBytes: 16, slicePauseMs: 0.05 },
  { limitBytes: 700 },
  { limitBytes: 1_100, isResetting: true },
  { limitBytes: 900, isHalfOpen: true },
  { slowCloseMs: 300 },
];

const partialAnswers: Row = {
  id: 'F19',
  title: 'Values and answers of a node break off in the middle',
  leastMs: 3_000,
  fault: async (arena) => {
    const node = arena.pickNode();
    const { edges } = arena.stack.node(node);
    for (const toxics of PIECES) {
      arena.tell(`node ${node}: ${JSON.stringify(toxics)}`);
      for (const edge of edges) {
        edge.heal();
        edge.poison(arena.random.chance(0.5) ? 'up' : 'down', toxics);
      }
      await arena.goOn(1 / PIECES.length);
    }
    return () => heal(arena, edges, `node ${node} answers in one piece`);
  },
};

const lateDelivery: Row = {
  id: 'F23',
  title: 'A network delivers old writes late',
  leastMs: 3_000,
  fault: async (arena) => {
    const node = arena.pickNode();
    const { edges } = arena.stack.node(node);
    const held = edges.map((edge) => {
      edge.poison('up', { isHeld: true });
      const frozen = edge.freeze();
      edge.heal();
      return frozen;
    });
    arena.tell(`what was on its way to node ${node} is held, new connections pass`);
    await arena.goOn(0.5);
    arena.tell('what was held arrives');
    for (const frozen of held) frozen.heal();
    await arena.goOn(0.5);
    return async () => {};
  },
};

function silence(edge: FaultProxy): void {
  edge.poison('up', { isBlackhole: true });
  edge.poison('down', { isBlackhole: true });
}

async function heal(arena: Arena, proxies: readonly FaultProxy[], text: string): Promise<void> {
  arena.tell(text);
  for (const proxy of proxies) proxy.heal();
}

export const NETWORK_ROWS: readonly Row[] = [
  slowNode,
  partition,
  oneSidedView,
  brokenAnswers,
  partialAnswers,
  lateDelivery,
];
