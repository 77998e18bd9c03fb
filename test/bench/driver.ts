/**
 * How many reads a second the driver does, beside bare memjs in the same process, in turns.
 *
 *   node .dev/run.mjs test/bench/driver.ts [SECONDS]
 */
import { Client, Server } from 'memjs';
import { createMemjsNode } from '../../packages/bridge/src/memjs-node.ts';
import { startMemcached } from '../support/memcached.ts';

/** Of one round of one driver. */
const ROUND_MS = 1_000;
const CONCURRENT = 64;
const VALUE_BYTES = 1_024;
const KEYS = 1_000;

const rounds = Math.max(2, Math.floor(Number(process.argv[2] ?? 20) / 2));
await using memcached = await startMemcached();
const { host, port } = memcached;
const node = createMemjsNode({ index: 0, host, port });
const single = createMemjsNode({ index: 0, host, port, connections: 1 });
const server = new Server(host, port, '', '', { timeout: 0.25 });
const client = new Client([server], { retries: 1 });

const value = Buffer.alloc(VALUE_BYTES, 0x61);
const keys = Array.from({ length: KEYS }, (_, index) => `bench:${String(index).padStart(32, '0')}`);
for (const key of keys) await node.add(key, { version: 1, value, ttlSeconds: 3_600 });

const drivers: Readonly<Record<string, (key: string) => Promise<unknown>>> = {
  'node, 2 connections': (key) => node.gets(key),
  'node, 1 connection': (key) => single.gets(key),
  'bare memjs': (key) => client.get(key),
};
const results = new Map<string, number[]>();
for (let round = 0; round <= rounds; round += 1) {
  for (const [name, read] of Object.entries(drivers)) {
    const perSecond = await measure(read);
    // The first round only warms up.
    if (round > 0) results.set(name, [...(results.get(name) ?? []), perSecond]);
  }
}
for (const [name, values] of results) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): string =>
    Math.round(sorted[Math.floor((sorted.length - 1) * share)] ?? 0).toFixed(0);
  console.log(
    `${name.padEnd(20)} ${at(0.5)} reads/s (lowest ${at(0)}, highest ${at(1)}, ${values.length} rounds)`,
  );
}
await Promise.all([node.close(), single.close()]);
server._socket?.destroy();

/** Reads a second with so many callers at once, each waiting for its answer before it asks again. */
async function measure(read: (key: string) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let count = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - start < ROUND_MS) {
      await read(keys[count % KEYS] ?? '');
      count += 1;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, caller));
  return (count * 1_000) / (performance.now() - start);
}
