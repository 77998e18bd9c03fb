/** The driver's deadlines, its load, and its end. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame, MAGIC, OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';
import { startFake } from '../support/fake-server.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startMemcached } from '../support/memcached.ts';
import { newItem, openNode, SLACK_MS, startEmbedded, TIMEOUT_MS } from '../support/nodes.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { waitUntil } from '../support/wait.ts';

test('an answer that comes late but within the deadline is taken', async () => {
  await using server = await startEmbedded();
  const timeoutMs = 2_000;
  await using node = openNode(server.it, { timeoutMs });
  await node.it.add('key', newItem(1));
  await server.it.inject({ kind: 'delay', delayMs: timeoutMs / 2 });
  assert.equal((await node.it.gets('key'))?.version, 1);
});

test('a slow answer takes along only what shares its connection', async () => {
  await using server = await startEmbedded();
  await using node = openNode(server.it, { timeoutMs: 1_000 });
  await node.it.add('key', newItem(1));
  await waitUntil(() => server.it.connections === 2, 'both connections are there');
  await node.it.gets('key');
  await server.it.inject({ kind: 'delay', delayMs: 10_000, opcodes: [OPCODES.gat] });
  const slow = assert.rejects(node.it.gat('key', 60), isKind('timeout'));
  const others = Array.from({ length: 10 }, () => node.it.gets('key'));
  const { ok, failed } = await countOutcomes(others, 5_000);
  await slow;
  // They were spread: those beside the slow one fell, the others did not notice.
  assert.ok(ok >= 5 && failed >= 1, `${ok} answered, ${failed} failed`);
});

test('a read whose caller has little time ends alone, and the connection goes on', async () => {
  await using server = await startEmbedded();
  await using node = openNode(server.it, { connections: 1, timeoutMs: 5_000 });
  await node.it.add('key', newItem(1));
  await server.it.inject({ kind: 'delay', delayMs: 100 });
  const hasty = node.it.gets('key', 10);
  const patient = node.it.gets('key');
  await assert.rejects(hasty, isKind('timeout'));
  assert.equal((await patient)?.version, 1);
  assert.equal(server.it.connections, 1);
  assert.equal(node.it.inFlight, 0);
});

test('a write whose caller has little time ends its connection, so that no more of it is delivered', async () => {
  await using server = await startEmbedded();
  await using node = openNode(server.it, { connections: 1, timeoutMs: 10_000 });
  await node.it.noop();
  await server.it.inject({ kind: 'delay', delayMs: 10_000, opcodes: [OPCODES.add] });
  await assert.rejects(node.it.add('key', newItem(1), 20), isKind('timeout'));
  await waitUntil(() => server.it.connections === 1, 'only the connection of the probe is left', 2_000);
});

test('a read that its caller has given up still ends the connection when it is never answered', async () => {
  await using server = await startEmbedded();
  await using node = openNode(server.it, { connections: 1 });
  await node.it.gets('key');
  await server.it.inject({ kind: 'delay', delayMs: 10_000, opcodes: [OPCODES.get] });
  await assert.rejects(node.it.gets('key', 20), isKind('timeout'));
  assert.equal(server.it.connections, 1);
  await waitUntil(() => server.it.connections === 0, 'the connection is dropped', 2_000);
});

test('the time it takes to connect counts against the deadline', async () => {
  const timeoutMs = 1_000;
  await using server = await startFake((socket, frames) => {
    const greeting = frames.find(({ opcode }) => opcode === OPCODES.noop);
    if (greeting === undefined) return;
    const answer = encodeFrame({ magic: MAGIC.response, opcode: OPCODES.noop, opaque: greeting.opaque });
    setTimeout(() => socket.write(answer), 0.8 * timeoutMs);
  });
  await using node = openNode(server, { timeoutMs, connections: 1 });
  const { kinds, lastMs } = await countOutcomes([node.it.gets('key')], 3_000);
  assert.deepEqual(kinds, { timeout: 1 });
  assert.ok(lastMs < 1.5 * timeoutMs, `${lastMs} ms`);
});

test('a connection that our own machine has no means for is our own affair', async () => {
  const connect = mock.method(Socket.prototype, 'connect', function (this: Socket) {
    this.destroy(Object.assign(new Error('too many open files'), { code: 'EMFILE' }));
    return this;
  });
  try {
    await using node = openNode({ host: '127.0.0.1', port: 11211 });
    await assert.rejects(node.it.gets('key'), isKind('busy'));
  } finally {
    connect.mock.restore();
  }
});

test('a deadline that is over before anything is sent is our own affair', async () => {
  await using server = await startEmbedded();
  await using node = openNode(server.it);
  await assert.rejects(node.it.gets('key', 0), isKind('busy'));
  await assert.rejects(node.it.gets('key', -5), isKind('busy'));
  await assert.rejects(node.it.gets('key', Number.NaN), TypeError);
  assert.equal(server.it.connections, 0);
});

test('more operations than may be in flight are refused as busy, and the others are answered', async () => {
  await using server = await startEmbedded();
  await using node = openNode(server.it, { maxInFlight: 50 });
  const operations = Array.from({ length: 80 }, () => node.it.gets('key'));
  // The probe is not traffic.
  const probe = node.it.noop();
  const { ok, kinds } = await countOutcomes(operations, 2_000);
  await probe;
  assert.deepEqual({ ok, kinds }, { ok: 50, kinds: { busy: 30 } });
});

test('an answer that is in the socket while our own process stands still is no time-out', async () => {
  await using memcached = await startMemcached();
  await using node = openNode(memcached);
  await node.it.gets('key');
  const operations = Array.from({ length: 50 }, () => node.it.gets('key'));
  // Let them leave, then block; memcached answers in the meantime.
  await new Promise(setImmediate);
  block(3 * TIMEOUT_MS);
  const { ok } = await countOutcomes(operations, 2_000);
  assert.equal(ok, 50);
});

test('a connection that was being made while our own process stood still is given the time to be made', async () => {
  await using memcached = await startMemcached();
  const timeoutMs = 1_000;
  await using node = openNode(memcached, { timeoutMs });
  const connecting = node.it.gets('key');
  await new Promise(setImmediate);
  block(1.5 * timeoutMs);
  assert.equal(await connecting, null);
});

test('an answer that came just before the deadline counts, even when it is read just after', async () => {
  await using memcached = await startMemcached();
  await using node = openNode(memcached, { connections: 1 });
  await node.it.gets('key');
  await memcached.stop();
  const late = node.it.gets('key');
  await new Promise(setImmediate);
  memcached.resume();
  // Long, so that the answer is there before the end however busy the machine is.
  block(8 * TIMEOUT_MS);
  assert.equal(await late, null);
});

test('a hundred reads of one turn of the event loop leave in one piece', async () => {
  const chunks: number[] = [];
  await using server = await startFake((socket, frames, chunk) => {
    chunks.push(chunk);
    for (const { opcode, opaque } of frames) {
      const status = opcode === OPCODES.noop ? STATUSES.ok : STATUSES.notFound;
      socket.write(encodeFrame({ magic: MAGIC.response, opcode, opaque, status }));
    }
  });
  await using node = openNode(server, { connections: 1 });
  await node.it.gets('warm');
  chunks.length = 0;
  await Promise.all(Array.from({ length: 100 }, () => node.it.gets('0123456789')));
  assert.deepEqual(chunks, [100 * 34]);
});

test('while a connection is being made nothing else connects, and it fails as one', async () => {
  await using server = await startEmbedded();
  await using proxy = await startFaultProxy({ targetPort: server.it.port });
  await using node = openNode({ host: '127.0.0.1', port: proxy.port }, { connections: 4 });
  proxy.poison('down', { isBlackhole: true });
  for (let round = 1; round <= 3; round += 1) {
    const operations = Array.from({ length: 100 }, () => node.it.gets('key'));
    const { kinds } = await countOutcomes(operations, 2_000);
    // Which of both a waiting operation is told depends on whose deadline is noticed first.
    assert.equal((kinds.timeout ?? 0) + (kinds.closed ?? 0), 100);
    assert.equal(proxy.counts.accepted, round);
  }
  await waitUntil(() => proxy.counts.open === 0, 'all of them are closed');
});

test('who joins an attempt to connect at its end is not failed by it but goes on to the next one', async () => {
  const sockets: Socket[] = [];
  await using server = await startFake((socket, frames) => {
    if (sockets.length === 0) sockets.push(socket);
    if (socket === sockets[0]) return;
    for (const { opcode, opaque } of frames) {
      const status = opcode === OPCODES.noop ? STATUSES.ok : STATUSES.notFound;
      socket.write(encodeFrame({ magic: MAGIC.response, opcode, opaque, status }));
    }
  });
  await using node = openNode(server, { timeoutMs: 1_000 });
  const first = node.it.gets('key');
  await sleep(600);
  const second = node.it.gets('key');
  await assert.rejects(first, isKind('timeout'));
  assert.equal(await second, null);
});

test('closing lets operations in flight finish, refuses new ones, and leaves no connection', async () => {
  await using server = await startEmbedded();
  const node = openNode(server.it, { timeoutMs: 5_000 }).it;
  await node.noop();
  await server.it.inject({ kind: 'delay', delayMs: 50 });
  const inFlight = Array.from({ length: 10 }, () => node.gets('key'));
  const closings = [node.close(), node.close()];
  await assert.rejects(node.gets('key'), isKind('closed'));
  await Promise.all(closings);
  assert.deepEqual(new Set(await Promise.all(inFlight)), new Set([null]));
  await waitUntil(() => server.it.connections === 0, 'no connection is left');
});

test('closing a node that never answers ends within the deadline too', async () => {
  await using server = await startEmbedded();
  const node = openNode(server.it).it;
  await server.it.inject({ kind: 'hang' });
  const operation = assert.rejects(node.gets('key'), isKind('timeout'));
  const { ok, lastMs } = await countOutcomes([node.close(), operation], 2_000);
  assert.equal(ok, 2);
  assert.ok(lastMs < TIMEOUT_MS + SLACK_MS, `${lastMs} ms`);
});

/** Stands still as a process does in a long garbage collection. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
