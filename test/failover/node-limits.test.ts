/** The driver at the limits of a memcached process: connections, memory, features. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { encodeFrame, MAGIC, OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';
import type { MemcachedNode, NodeError } from '../../packages/bridge/src/node.ts';
import { startFake } from '../support/fake-server.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startMemcached } from '../support/memcached.ts';
import { addItem, newItem, openNode, SLACK_MS, TIMEOUT_MS } from '../support/nodes.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { RawClient } from '../support/raw-client.ts';
import { waitUntil } from '../support/wait.ts';

test('a node over its connection limit refuses fast, and serves again when there is room', async () => {
  await using memcached = await startMemcached({ flags: ['-c', '24'] });
  await using node = openNode(memcached);
  const squatters = Array.from({ length: 40 }, () => new RawClient(memcached.host, memcached.port));
  const seats = await Promise.allSettled(squatters.map((squatter) => squatter.exchange([])));
  assert.ok(seats.some((seat) => seat.status === 'fulfilled' && !seat.value.isClosed));
  const { failed, never, kinds, lastMs } = await countOutcomes(
    Array.from({ length: 20 }, () => node.it.gets('any')),
    2_000,
  );
  assert.deepEqual({ failed, never, kinds }, { failed: 20, never: 0, kinds: { unreachable: 20 } });
  assert.ok(lastMs < TIMEOUT_MS + SLACK_MS, `${lastMs} ms`);
  for (const squatter of squatters) squatter.close();
  await waitUntil(async () => (await node.it.gets('any').catch(() => 'failed')) === null, 'it serves again');
});

test('operations go on over the connection there is while a second one cannot be had', async () => {
  await using memcached = await startMemcached();
  await using proxy = await startFaultProxy({ targetPort: memcached.port });
  const lost: NodeError[] = [];
  const target = { host: '127.0.0.1', port: proxy.port };
  await using node = openNode(target, { connections: 4, onConnectionLost: (error) => lost.push(error) });
  await node.it.gets('any');
  await proxy.refuse();
  for (let round = 0; round < 20; round += 1) {
    const { ok } = await countOutcomes(
      Array.from({ length: 20 }, () => node.it.gets('any')),
      2_000,
    );
    assert.equal(ok, 20);
  }
  assert.deepEqual(lost, []);
});

test('operations do not wait for a second connection that is never made', async () => {
  const sockets: Socket[] = [];
  await using server = await startFake((socket, frames) => {
    if (sockets.length === 0) sockets.push(socket);
    if (socket !== sockets[0]) return;
    for (const { opcode, opaque } of frames) {
      const status = opcode === OPCODES.noop ? STATUSES.ok : STATUSES.notFound;
      socket.write(encodeFrame({ magic: MAGIC.response, opcode, opaque, status }));
    }
  });
  await using node = openNode(server, { connections: 4 });
  const start = performance.now();
  for (let round = 0; performance.now() - start < 3 * TIMEOUT_MS; round += 1) {
    const { ok } = await countOutcomes([node.it.gets('a'), node.it.gets('b')], 2_000);
    assert.equal(ok, 2);
  }
  // Every failed attempt is followed by a pause.
  assert.equal(server.accepted, 2);
});

test('a full node refuses new items as out of memory, and what it holds stays as it is', async () => {
  await using memcached = await startMemcached({ flags: ['-m', '2', '-M'] });
  await using node = openNode(memcached, { timeoutMs: 2_000 });
  const cas = await addItem(node.it, 'kept', 100_000);
  await fill(node.it, 100_000);
  await assert.rejects(node.it.add('one-more', newItem(1, 100_000)), isKind('out_of_memory'));
  assert.equal(await node.it.gets('one-more'), null);
  await assert.rejects(node.it.cas('kept', newItem(2, 100_000), cas), isKind('out_of_memory'));
  const kept = await node.it.gets('kept');
  assert.deepEqual(
    { version: kept?.version, cas: kept?.cas, size: kept?.value.length },
    { version: 1, cas, size: 100_000 },
  );
});

test('a plain SET, even one with a CAS number, would have deleted the old item of a full node', async () => {
  await using memcached = await startMemcached({ flags: ['-m', '2', '-M'] });
  await using node = openNode(memcached, { timeoutMs: 2_000 });
  const cas = await addItem(node.it, 'lost', 100_000);
  await fill(node.it, 100_000);
  const raw = new RawClient(memcached.host, memcached.port);
  const { answers } = await raw.exchange([
    {
      opcode: OPCODES.set,
      key: Buffer.from('lost'),
      extras: Buffer.alloc(8),
      value: Buffer.alloc(100_000),
      cas,
    },
  ]);
  raw.close();
  assert.equal(answers[0]?.status, STATUSES.outOfMemory);
  assert.equal(await node.it.gets('lost'), null);
});

test('what a full node says exists does exist', async () => {
  await using memcached = await startMemcached({ flags: ['-m', '2', '-M'] });
  await using node = openNode(memcached, { timeoutMs: 2_000 });
  // Sizes of many slab classes, single and chunked, up to the limit of the driver.
  for (let size = 100; size <= 1_000_000; size = Math.ceil(size * 1.7)) {
    for (let index = 0; index < 30; index += 1) {
      const key = `${size}-${index}`;
      const outcome = await node.it.add(key, newItem(1, size)).catch((error: unknown) => error);
      const isFull = isKind('out_of_memory')(outcome);
      assert.ok(isFull || isStored(outcome), `${key}: ${String(outcome)}`);
      assert.equal((await node.it.gets(key)) === null, isFull);
    }
  }
});

test('a node without CAS numbers is not used, because every write to it would win', async () => {
  await using memcached = await startMemcached({ flags: ['-C'] });
  await using node = openNode(memcached);
  await assert.rejects(node.it.add('any', newItem(1)), isKind('protocol'));
  await assert.rejects(node.it.gets('any'), isKind('protocol'));
});

test('a node is reached over IPv6', async () => {
  await using memcached = await startMemcached({ host: '::1' });
  await using node = openNode(memcached);
  assert.equal(node.it.address, `[::1]:${memcached.port}`);
  await addItem(node.it, 'six');
  assert.equal((await node.it.gets('six'))?.version, 1);
});

/** Adds items until the node has no memory for another one. */
async function fill(node: MemcachedNode, size: number): Promise<void> {
  for (let index = 0; index < 1_000; index += 1) {
    const outcome = await node.add(`filler-${index}`, newItem(1, size)).catch((error: unknown) => error);
    if (isKind('out_of_memory')(outcome)) return;
  }
  assert.fail('the node never became full');
}

function isStored(outcome: unknown): boolean {
  return typeof outcome === 'object' && outcome !== null && 'stored' in outcome && outcome.stored === true;
}
