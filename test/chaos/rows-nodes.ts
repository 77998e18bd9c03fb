/** Rows in which nodes or the way to them fail. */
import type { Arena, Heal, Row } from './arena.ts';

export const killNode: Row = {
  id: 'F4',
  title: 'A node is killed',
  fault: async (arena) => {
    const node = arena.pickNode();
    const { memcached } = arena.stack.node(node);
    arena.tell(`kill -9 node ${node}`);
    await memcached.kill();
    await arena.goOn();
    return restart(arena, node);
  },
};

function restart(arena: Arena, node: number): Heal {
  return async () => {
    arena.tell(`start node ${node}, empty`);
    await arena.stack.node(node).memcached.restart();
  };
}

export const NODE_ROWS: readonly Row[] = [killNode];
