/** What fills a node, and what takes its connections. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createMemjsNode } from '../../packages/bridge/src/memjs-node.ts';
import { type MemcachedNode, NodeError } from '../../packages/bridge/src/node.ts';
import type { Memcached } from '../support/memcached.ts';

/** Of many sizes, because memcached keeps items of different sizes in different places. */
const SIZES = [300, 450, 600, 800, 1_000, 1_300, 1_700, 2_200, 2_900, 3_800, 5_000];
const AT_ONCE = 32;
const TIMEOUT_MS = 2_000;

function open(index: number, { host, port }: Memcached): MemcachedNode {
  return createMemjsNode({ index, host, port, timeoutMs: TIMEOUT_MS });
}

function keyOf(number: number): string {
  return `filler:${number}`;
}

/** Adds items until `isEnough`, or until the node refuses one of each size. Gives how many it took. */
export async function fill(
  index: number,
  memcached: Memcached,
  isEnough: (count: number) => boolean,
): Promise<number> {
  const node = open(index, memcached);
  const sizes = new Set(SIZES);
  let count = 0;
  const add = async (): Promise<void> => {
    for (let size = next(); size !== null; size = next()) {
      count += 1;
      const item = { version: 1, value: Buffer.alloc(size, 0x66), ttlSeconds: 3_600 };
      try {
        await node.add(keyOf(count), item);
      } catch (error) {
        if (!(error instanceof NodeError) || error.kind !== 'out_of_memory') throw error;
        sizes.delete(size);
      }
    }
  };
  const next = (): number | null => {
    if (isEnough(count)) return null;
    return [...sizes][count % Math.max(1, sizes.size)] ?? null;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, add));
  await node.close();
  return count;
}

/** Takes the items away again. */
export async function empty(index: number, memcached: Memcached, count: number): Promise<void> {
  const node = open(index, memcached);
  let left = count;
  const remove = async (): Promise<void> => {
    for (let number = left--; number > 0; number = left--) await node.delete(keyOf(number));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, remove));
  await node.close();
}

/** One of memcached's general statistics. */
export async function readStatistic(index: number, memcached: Memcached, name: string): Promise<number> {
  const node = open(index, memcached);
  try {
    return Number((await node.stats()).get(name) ?? 0);
  } finally {
    await node.close();
  }
}

/** Opens connections that say nothing. Gives what closes them. */
export async function squat(port: number, count: number): Promise<() => void> {
  const sockets: Socket[] = Array.from({ length: count }, () => {
    const socket = connect(port, '127.0.0.1');
    // Whoever has no place for it may close it.
    socket.on('error', () => {});
    return socket;
  });
  await Promise.all(sockets.map((socket) => once(socket, 'connect').catch(() => null)));
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
