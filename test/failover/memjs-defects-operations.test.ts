/** Defects of memjs 1.3.2 in its operations, M8 to M15: each is shown, and that the node has it not. */
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { mock, test } from 'node:test';
import { Client, Server } from 'memjs';
import { encodeFrame, MAGIC, OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';
import { createBare, fateOf } from '../support/bare-memjs.ts';
import { startFake } from '../support/fake-server.ts';
import { findFreePort } from '../../examples/start/ports.ts';
import { startMemcached } from '../support/memcached.ts';
import { addItem, newItem, openNode, startEmbedded } from '../support/nodes.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { RawClient } from '../support/raw-client.ts';
import { waitUntil } from '../support/wait.ts';

test('M8: memjs sends a write again after a time-out; the node sends it once', async () => {
  const writes: number[] = [];
  await using server = await startFake((socket, frames) => {
    for (const { opcode } of frames) {
      if (opcode === OPCODES.noop) socket.write(encodeFrame({ magic: MAGIC.response, opcode }));
      else writes.push(opcode);
    }
  });
  using bare = createBare(server, { retries: 2, retry_delay: 0.01 });
  assert.equal(await fateOf(bare.client.set('key', 'value'), 2_000), 'failed');
  assert.deepEqual(writes, [OPCODES.set, OPCODES.set]);
  writes.length = 0;
  await using node = openNode(server);
  await assert.rejects(node.it.cas('key', newItem(1), 1n), isKind('timeout'));
  assert.deepEqual(writes, [OPCODES.replace]);
});

test('M9: two retries of memjs are two attempts, and its failures go to the console; the node prints nothing', async () => {
  const target = { host: '127.0.0.1', port: await findFreePort() };
  const log = mock.method(console, 'log', () => {});
  const error = mock.method(console, 'error', () => {});
  const connect = mock.method(Socket.prototype, 'connect');
  try {
    const client = new Client([new Server(target.host, target.port)], { retries: 2, retry_delay: 0.01 });
    await assert.rejects(client.get('key'));
    assert.equal(connect.mock.callCount(), 2);
    assert.equal(log.mock.callCount(), 1);
    await using node = openNode(target);
    await assert.rejects(node.it.gets('key'), isKind('refused'));
    assert.equal(connect.mock.callCount(), 3);
    assert.equal(log.mock.callCount() + error.mock.callCount(), 1);
  } finally {
    mock.restoreAll();
  }
});

test('M10: memjs writes to another server without a word, and shuns a healthy one for a minute; the node does neither', async () => {
  await using first = await startEmbedded();
  await using second = await startEmbedded();
  const servers = [first.it, second.it].map(
    ({ host, port }) => new Server(host, port, '', '', { timeout: 5 }),
  );
  const client = new Client(servers, { retries: 1, failover: true, logger: { log() {} } });
  client.getServer = () => 0;
  await first.it.inject({ kind: 'refuse' });
  assert.equal(await client.set('key', 'value'), true);
  await first.it.heal();
  await using node = openNode(first.it);
  await using other = openNode(second.it);
  assert.equal(await node.it.gets('key'), null);
  assert.notEqual(await other.it.gets('key'), null);
  await client.set('another', 'value');
  assert.equal(await node.it.gets('another'), null);
  for (const server of servers) server._socket?.destroy();
  await first.it.inject({ kind: 'refuse' });
  await assert.rejects(node.it.add('key', newItem(1)));
  await first.it.heal();
  await waitUntil(
    async () => (await node.it.add('key', newItem(1)).catch(() => null)) !== null,
    'it is used again',
  );
  assert.notEqual(await node.it.gets('key'), null);
});

test('M11: memjs stops working after 2^31 operations; the node starts its counter over', async () => {
  await using server = await startEmbedded();
  using bare = createBare(server.it);
  bare.client.seq = 0x7fff_ffff;
  for (let attempt = 0; attempt < 2; attempt += 1) await assert.rejects(bare.client.get('key'), RangeError);
  await using node = openNode(server.it, { firstOpaque: 0x7fff_ffff });
  for (let attempt = 0; attempt < 3; attempt += 1) assert.equal(await node.it.gets('key'), null);
});

test('M12: memjs has neither CAS numbers nor flags, and its prepend appends; the node has both', async () => {
  await using memcached = await startMemcached();
  using bare = createBare(memcached);
  await bare.client.set('bare', 'b');
  await bare.client.prepend('bare', 'a');
  const found = await bare.client.get('bare');
  assert.deepEqual(Object.keys(found), ['value', 'flags']);
  assert.deepEqual(found, { value: Buffer.from('ba'), flags: Buffer.alloc(4) });
  await using node = openNode(memcached);
  const cas = await addItem(node.it, 'key');
  assert.deepEqual(await node.it.gets('key'), { ...read(newItem(1)), cas });
});

test('M13: memjs stores for 30 days and a second what is gone at once; the node refuses it', async () => {
  await using memcached = await startMemcached();
  using bare = createBare(memcached);
  assert.equal(await bare.client.set('key', 'value', { expires: 2_592_001 }), true);
  assert.equal((await bare.client.get('key')).value, null);
  await using node = openNode(memcached);
  for (const ttlSeconds of [2_592_001, 0, -1, Number.NaN]) {
    await assert.rejects(node.it.add('key', { ...newItem(1), ttlSeconds }), TypeError);
    await assert.rejects(node.it.touch('key', ttlSeconds), TypeError);
  }
});

test('M14: a key of 251 bytes costs memjs its connection and all that is in flight; the node refuses it', async () => {
  await using memcached = await startMemcached();
  using bare = createBare(memcached);
  await bare.client.get('warm');
  const key = 'k'.repeat(251);
  const innocent = [bare.client.get('a'), bare.client.get(key), bare.client.get('b')].map((each) =>
    fateOf(each, 500),
  );
  assert.notEqual((await Promise.all(innocent)).at(-1), 'ok');
  await using node = openNode(memcached);
  const others = [node.it.gets('a'), node.it.gets('b')];
  for (const bad of [key, '', 'a b', 'a\r\n']) await assert.rejects(node.it.gets(bad), TypeError);
  assert.deepEqual(await Promise.all(others), [null, null]);
});

test('M15: memjs takes on any number of requests; the node refuses more than it may have in flight', async () => {
  await using server = await startEmbedded({ fault: { kind: 'hang' } });
  using bare = createBare(server.it, { timeout: 60 });
  const taken = Array.from({ length: 2_000 }, () => bare.client.get('key').catch(() => {}));
  assert.equal(await fateOf(Promise.race(taken), 100), 'never');
  await using node = openNode(server.it);
  const operations = Array.from({ length: 2_000 }, () => node.it.gets('key'));
  assert.equal(node.it.inFlight, 512);
  assert.equal((await countOutcomes(operations, 2_000)).kinds.busy, 2_000 - 512);
});

test('M15: memjs leaves the delay of small packets on and dead connections unnoticed; the node does not', async () => {
  await using server = await startEmbedded();
  const noDelay = mock.method(Socket.prototype, 'setNoDelay');
  const keepAlive = mock.method(Socket.prototype, 'setKeepAlive');
  try {
    using bare = createBare(server.it);
    await bare.client.get('key');
    assert.equal(noDelay.mock.callCount(), 0);
    assert.deepEqual(
      keepAlive.mock.calls.map((call) => call.arguments[0]),
      [false],
    );
    await using node = openNode(server.it, { connections: 1 });
    await node.it.gets('key');
    assert.deepEqual(
      noDelay.mock.calls.map((call) => call.arguments[0]),
      [true],
    );
    assert.deepEqual(
      keepAlive.mock.calls.map((call) => call.arguments[0]),
      [false, true],
    );
  } finally {
    mock.restoreAll();
  }
});

test('a value that is too large makes memcached delete the old one; the node never sends it', async () => {
  await using memcached = await startMemcached();
  await using node = openNode(memcached, { timeoutMs: 2_000 });
  const raw = new RawClient(memcached.host, memcached.port);
  using bare = createBare(memcached);
  const cas = await addItem(node.it, 'key');
  await assert.rejects(node.it.cas('key', newItem(2, 1_048_600), cas), TypeError);
  const { answers } = await raw.exchange([{ opcode: OPCODES.get, key: Buffer.from('key') }]);
  assert.equal(answers[0]?.status, STATUSES.ok);
  raw.close();
  await assert.rejects(bare.client.set('key', Buffer.alloc(1_048_600)));
  assert.equal(await node.it.gets('key'), null);
});

/** An item as it is read, without its CAS number. */
function read(item: ReturnType<typeof newItem>): { version: number; value: Buffer } {
  return { version: item.version, value: item.value };
}
