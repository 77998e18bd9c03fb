/** The driver when a memcached process is killed, stopped, or out of reach. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NodeError } from '../../packages/bridge/src/node.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { findFreePort } from '../../examples/start/ports.ts';
import { startMemcached } from '../support/memcached.ts';
import { addItem, newItem, openNode, SLACK_MS, TIMEOUT_MS } from '../support/nodes.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { waitUntil } from '../support/wait.ts';

test('a process killed with 300 operations in flight leaves none without an end, three times', async () => {
  await using memcached = await startMemcached();
  await using node = openNode(memcached);
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
  await using node = openNode(memcached);
  const held = async (): Promise<number> => Number((await node.it.stats()).get('curr_connections'));
  await node.it.gets('warm');
  // Two for traffic and one for the probe.
  await waitUntil(async () => (await held()) === 3, 'both connections are there');
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
  await using node = openNode(memcached, { timeoutMs: 50 });
  const countOwn = (): number =>
    process.getActiveResourcesInfo().filter((name) => /TCPSocketWrap|TCPConnectWrap/.test(name)).length;
  await waitUntil(async () => (await node.it.gets('warm').catch(() => 'failed')) === null, 'it is warm');
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
  // Traffic has at most two, the probe one.
  await waitUntil(async () => (await held()) <= 3, 'memcached has closed the dropped connections');
});

test('a hung process is sent nothing new once its connections are dropped', async () => {
  await using memcached = await startMemcached();
  await using node = openNode(memcached, { connections: 1 });
  const cas = await addItem(node.it, 'late');
  await memcached.stop();
  await assert.rejects(node.it.gets('late'), isKind('timeout'));
  const write = node.it.cas('late', newItem(2), cas);
  await assert.rejects(write, isKind('timeout'));
  memcached.resume();
  // It waited for a connection that never answered, so that nothing can come late.
  assert.equal((await node.it.gets('late'))?.version, 1);
  assert.equal((await node.it.stats()).get('cmd_set'), '1');
});

test('what is left of a write that timed out is thrown away and not delivered later', async () => {
  await using memcached = await startMemcached();
  await using node = openNode(memcached, { connections: 1 });
  await node.it.gets('warm');
  await memcached.stop();
  // Far more than the kernel takes for a process that does not read.
  await assert.rejects(node.it.add('cut', newItem(1, 900_000)), isKind('timeout'));
  memcached.resume();
  const stats = async (name: string): Promise<number> => Number((await node.it.stats()).get(name));
  await waitUntil(async () => (await stats('curr_connections')) === 1, 'memcached has seen the end of it');
  assert.equal(await stats('cmd_set'), 0);
  assert.equal(await node.it.gets('cut'), null);
});

test('a write delivered long after its time-out does not undo a newer one', async () => {
  await using memcached = await startMemcached();
  await using proxy = await startFaultProxy({ targetPort: memcached.port });
  await using node = openNode({ host: '127.0.0.1', port: proxy.port }, { connections: 1 });
  const first = await addItem(node.it, 'session');
  proxy.poison('up', { isHeld: true });
  await assert.rejects(node.it.cas('session', newItem(2), first), isKind('timeout'));
  const held = proxy.freeze();
  proxy.heal();
  const second = await node.it.cas('session', newItem(3), first);
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
  await using node = openNode({ host: '127.0.0.1', port });
  const { kinds, lastMs } = await countOutcomes(
    Array.from({ length: 50 }, () => node.it.gets('any')),
    2_000,
  );
  assert.deepEqual(kinds, { refused: 50 });
  assert.ok(lastMs < TIMEOUT_MS, `${lastMs} ms`);
  await assert.rejects(node.it.noop(), isKind('refused'));
});

test('a host that does not exist is unreachable', async () => {
  await using node = openNode({ host: 'no-such-host.invalid', port: 11211 }, { timeoutMs: 5_000 });
  await assert.rejects(node.it.gets('any'), isKind('unreachable'));
});

test('an idle connection that is lost is told at once, however it is lost', async () => {
  for (const how of ['kill', 'reset'] as const) {
    const lost: NodeError[] = [];
    await using memcached = await startMemcached();
    await using proxy = await startFaultProxy({ targetPort: memcached.port });
    const target = { host: '127.0.0.1', port: proxy.port };
    await using node = openNode(target, { connections: 1, onConnectionLost: (error) => lost.push(error) });
    await node.it.gets('any');
    if (how === 'kill') await memcached.kill();
    else proxy.resetPeers();
    await waitUntil(() => lost.length > 0, 'the loss is told');
    assert.deepEqual(
      lost.map(({ nodeIndex, kind }) => ({ nodeIndex, kind })),
      [{ nodeIndex: 0, kind: 'closed' }],
    );
  }
});

test('a connection that we end ourselves, for whatever reason, is not told as lost', async () => {
  const lost: NodeError[] = [];
  await using memcached = await startMemcached();
  const node = openNode(memcached, { onConnectionLost: (error) => lost.push(error) });
  await node.it.gets('any');
  await memcached.stop();
  await assert.rejects(node.it.gets('any'));
  memcached.resume();
  await node.it.gets('any');
  await node.it.close();
  await memcached.kill();
  assert.deepEqual(lost, []);
});
