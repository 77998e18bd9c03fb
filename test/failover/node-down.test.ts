/** The driver when a memcached process is killed, stopped, full, or out of reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemjsNode } from '../../packages/bridge/src/memjs-node.ts';
import type { MemjsNodeOptions } from '../../packages/bridge/src/memjs-node.ts';
import type { MemcachedNode, NewItem, NodeError } from '../../packages/bridge/src/node.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { findFreePort, startMemcached } from '../support/memcached.ts';
import type { Memcached } from '../support/memcached.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { RawClient } from '../support/raw-client.ts';
import { waitUntil } from '../support/wait.ts';
import { OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';

const TIMEOUT_MS = 250;
/** What a busy machine may add to a deadline. */
const SLACK_MS = 400;

test('a process killed with 300 operations in flight leaves none without an end, three times', async () => {
  await using memcached = await startMemcached();
  await using node = open(memcached);
  for (let round = 0; round < 3; round += 1) {
    await node.it.noop();
    const operations = Array.from({ length: 300 }, (_, index) => node.it.gets(`key-${index}`));
    // Half a turn later requests are on their way and answers are not.
    setImmediate(() => void memcached.kill());
    const { ok, failed, never, kinds } = await countOutcomes(operations, TIMEOUT_MS + SLACK_MS);
    assert.equal(never, 0);
    assert.equal(ok + failed, 300);
    assert.equal(kinds.other, undefined);
    assert.equal(node.it.inFlight, 0);
    await memcached.restart();
    await waitUntil(async () => (await node.it.gets('any').catch(() => 'failed')) === null, 'it works again');
  }
});

test('a stopped process ends all operations within the deadline, as one piece of evidence a connection', async () => {
  await using memcached = await startMemcached();
  await using node = open(memcached);
  const held = async (): Promise<number> => Number((await node.it.stats()).get('curr_connections'));
  const idle = await held();
  await node.it.gets('warm');
  await waitUntil(async () => (await held()) === idle + 2, 'both connections are there');
  // Ready is what has answered, and the second one may be about to.
  await node.it.gets('warm');
  await memcached.stop();
  const operations = Array.from({ length: 100 }, (_, index) => node.it.gets(`key-${index}`));
  const { failed, never, kinds, lastMs } = await countOutcomes(operations, 2_000);
  assert.deepEqual({ failed, never }, { failed: 100, never: 0 });
  assert.ok(lastMs < TIMEOUT_MS + SLACK_MS, `${lastMs} ms`);
  const { timeout = 0, closed } = kinds;
  assert.ok(timeout === 1 || timeout === 2, `${timeout} pieces of evidence from 2 connections`);
  assert.equal(closed, 100 - timeout);
  memcached.resume();
  assert.equal(await node.it.gets('key-1'), null);
});

test('twenty stops and continuations leave no socket behind on either side', async () => {
  await using memcached = await startMemcached();
  await using node = open(memcached, { timeoutMs: 50 });
  const countOwn = (): number =>
    process.getActiveResourcesInfo().filter((name) => /TCPSocketWrap|TCPConnectWrap/.test(name)).length;
  await node.it.gets('warm');
  const before = countOwn();
  for (let round = 0; round < 20; round += 1) {
    await memcached.stop();
    const { never, ok } = await countOutcomes(
      [node.it.gets('a'), node.it.gets('b'), node.it.gets('c')],
      1_000,
    );
    assert.deepEqual({ ok, never }, { ok: 0, never: 0 });
    memcached.resume();
    await waitUntil(async () => (await node.it.gets('a').catch(() => 'failed')) === null, 'it answers again');
  }
  assert.ok(countOwn() <= before + 1, `${countOwn()} sockets, ${before} before`);
  const held = async (): Promise<number> => Number((await node.it.stats()).get('curr_connections'));
  // Traffic has at most two, the probe one; memcached counts its listening socket too.
  await waitUntil(async () => (await held()) <= 4, 'memcached has closed the dropped connections');
});

test('a hung process is sent nothing new once its connections are dropped', async () => {
  await using memcached = await startMemcached();
  await using node = open(memcached, { connections: 1 });
  const cas = await add(node.it, 'late');
  await memcached.stop();
  await assert.rejects(node.it.gets('late'), isKind('timeout'));
  const write = node.it.cas('late', item(2), cas);
  await assert.rejects(write, isKind('timeout'));
  memcached.resume();
  // It waited for a connection that never answered, so that nothing can come late.
  assert.equal((await node.it.gets('late'))?.version, 1);
  assert.equal((await node.it.stats()).get('cmd_set'), '1');
});

test('a write delivered long after its time-out does not undo a newer one', async () => {
  await using memcached = await startMemcached();
  await using proxy = await startFaultProxy({ targetPort: memcached.port });
  await using node = open({ host: '127.0.0.1', port: proxy.port }, { connections: 1 });
  const first = await add(node.it, 'session');
  proxy.poison('up', { isHeld: true });
  await assert.rejects(node.it.cas('session', item(2), first), isKind('timeout'));
  const held = proxy.freeze();
  proxy.heal();
  const second = await node.it.cas('session', item(3), first);
  assert.ok(second.stored);
  const bytesUp = proxy.counts.bytesUp;
  held.heal();
  await waitUntil(() => proxy.counts.bytesUp > bytesUp, 'the late write has been delivered');
  await waitUntil(
    async () => Number((await node.it.stats()).get('cas_badval')) === 1,
    'memcached has refused the late write',
  );
  assert.equal((await node.it.gets('session'))?.version, 3);
});

test('a refused connection fails at once and as refused', async () => {
  const port = await findFreePort();
  await using node = open({ host: '127.0.0.1', port });
  const { kinds, lastMs } = await countOutcomes(
    Array.from({ length: 50 }, () => node.it.gets('any')),
    2_000,
  );
  assert.deepEqual(kinds, { refused: 50 });
  assert.ok(lastMs < TIMEOUT_MS, `${lastMs} ms`);
  await assert.rejects(node.it.noop(), isKind('refused'));
});

test('a host that does not exist is refused too', async () => {
  await using node = open({ host: 'no-such-host.invalid', port: 11211 }, { timeoutMs: 5_000 });
  await assert.rejects(node.it.gets('any'), isKind('refused'));
});

test('an idle connection that is lost is told at once, however it is lost', async () => {
  for (const how of ['kill', 'reset'] as const) {
    const lost: NodeError[] = [];
    await using memcached = await startMemcached();
    await using proxy = await startFaultProxy({ targetPort: memcached.port });
    const target = { host: '127.0.0.1', port: proxy.port };
    await using node = open(target, { connections: 1, onConnectionLost: (error) => lost.push(error) });
    await node.it.gets('any');
    if (how === 'kill') await memcached.kill();
    else proxy.resetPeers();
    await waitUntil(() => lost.length > 0, 'the loss is told', 1_000);
    assert.deepEqual(
      lost.map(({ nodeIndex, kind }) => ({ nodeIndex, kind })),
      [{ nodeIndex: 0, kind: 'closed' }],
    );
  }
});

test('a connection that we end ourselves, for whatever reason, is not told as lost', async () => {
  const lost: NodeError[] = [];
  await using memcached = await startMemcached();
  const node = open(memcached, { onConnectionLost: (error) => lost.push(error) });
  await node.it.gets('any');
  await memcached.stop();
  await assert.rejects(node.it.gets('any'));
  memcached.resume();
  await node.it.gets('any');
  await node.it.close();
  await memcached.kill();
  assert.deepEqual(lost, []);
});

test('a node over its connection limit refuses fast, and serves again when there is room', async () => {
  await using memcached = await startMemcached({ flags: ['-c', '24'] });
  await using node = open(memcached);
  const squatters = Array.from({ length: 40 }, () => new RawClient(memcached.host, memcached.port));
  const seats = await Promise.allSettled(squatters.map((squatter) => squatter.exchange([])));
  assert.ok(seats.some((seat) => seat.status === 'fulfilled' && !seat.value.isClosed));
  const { failed, never, kinds, lastMs } = await countOutcomes(
    Array.from({ length: 20 }, () => node.it.gets('any')),
    2_000,
  );
  assert.deepEqual({ failed, never, kinds }, { failed: 20, never: 0, kinds: { refused: 20 } });
  assert.ok(lastMs < TIMEOUT_MS + SLACK_MS, `${lastMs} ms`);
  for (const squatter of squatters) squatter.close();
  await waitUntil(async () => (await node.it.gets('any').catch(() => 'failed')) === null, 'it serves again');
});

test('operations go on over the connection there is while a second one cannot be had', async () => {
  await using memcached = await startMemcached();
  await using proxy = await startFaultProxy({ targetPort: memcached.port });
  const lost: NodeError[] = [];
  const target = { host: '127.0.0.1', port: proxy.port };
  await using node = open(target, { connections: 4, onConnectionLost: (error) => lost.push(error) });
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

test('a full node refuses new items as out of memory, and what it holds stays as it is', async () => {
  await using memcached = await startMemcached({ flags: ['-m', '2', '-M'] });
  await using node = open(memcached, { timeoutMs: 2_000 });
  const cas = await add(node.it, 'kept', 100_000);
  await fill(node.it, 100_000);
  await assert.rejects(node.it.add('one-more', item(1, 100_000)), isKind('out_of_memory'));
  assert.equal(await node.it.gets('one-more'), null);
  await assert.rejects(node.it.cas('kept', item(2, 100_000), cas), isKind('out_of_memory'));
  const kept = await node.it.gets('kept');
  assert.deepEqual(
    { version: kept?.version, cas: kept?.cas, size: kept?.value.length },
    { version: 1, cas, size: 100_000 },
  );
});

test('a plain SET, even one with a CAS number, would have deleted the old item of a full node', async () => {
  await using memcached = await startMemcached({ flags: ['-m', '2', '-M'] });
  await using node = open(memcached, { timeoutMs: 2_000 });
  const cas = await add(node.it, 'lost', 100_000);
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
  await using node = open(memcached, { timeoutMs: 2_000 });
  // Sizes of many slab classes, single and chunked, up to the limit of the driver.
  for (let size = 100; size <= 1_000_000; size = Math.ceil(size * 1.7)) {
    for (let index = 0; index < 30; index += 1) {
      const key = `${size}-${index}`;
      const outcome = await node.it.add(key, item(1, size)).catch((error: unknown) => error);
      const isFull = isKind('out_of_memory')(outcome);
      assert.ok(isFull || isStored(outcome), `${key}: ${String(outcome)}`);
      assert.equal((await node.it.gets(key)) === null, isFull);
    }
  }
});

test('a node without CAS numbers is not used, because every write to it would win', async () => {
  await using memcached = await startMemcached({ flags: ['-C'] });
  await using node = open(memcached);
  await assert.rejects(node.it.add('any', item(1)), isKind('protocol'));
  await assert.rejects(node.it.gets('any'), isKind('protocol'));
});

test('a node is reached over IPv6', async () => {
  await using memcached = await startMemcached({ host: '::1' });
  await using node = open(memcached);
  assert.equal(node.it.address, `[::1]:${memcached.port}`);
  await add(node.it, 'six');
  assert.equal((await node.it.gets('six'))?.version, 1);
});

function open(
  target: Pick<Memcached, 'host' | 'port'>,
  options: Partial<MemjsNodeOptions> = {},
): { readonly it: MemcachedNode } & AsyncDisposable {
  const { host, port } = target;
  const it = createMemjsNode({ index: 0, host, port, timeoutMs: TIMEOUT_MS, ...options });
  return { it, [Symbol.asyncDispose]: () => it.close() };
}

function item(version: number, size = 1): NewItem {
  return { version, value: Buffer.alloc(size), ttlSeconds: 60 };
}

async function add(node: MemcachedNode, key: string, size = 1): Promise<bigint> {
  const outcome = await node.add(key, item(1, size));
  assert.ok(outcome.stored);
  return outcome.cas;
}

/** Adds items until the node has no memory for another one. */
async function fill(node: MemcachedNode, size: number): Promise<void> {
  for (let index = 0; index < 1_000; index += 1) {
    const outcome = await node.add(`filler-${index}`, item(1, size)).catch((error: unknown) => error);
    if (isKind('out_of_memory')(outcome)) return;
  }
  assert.fail('the node never became full');
}

function isStored(outcome: unknown): boolean {
  return typeof outcome === 'object' && outcome !== null && 'stored' in outcome && outcome.stored === true;
}
