/** The driver when answers are cut, mixed up, endless, or no answers at all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, MAGIC, OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';
import type { NodeError } from '../../packages/bridge/src/node.ts';
import { startFake } from '../support/fake-server.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startMemcached } from '../support/memcached.ts';
import { newItem, openNode, SLACK_MS, startEmbedded, TIMEOUT_MS } from '../support/nodes.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { sendRaw } from '../support/raw-http.ts';
import { waitUntil } from '../support/wait.ts';

for (const [title, fault, kinds] of [
  ['closes the connection without an answer', { kind: 'fin' }, ['closed']],
  ['resets the connection without an answer', { kind: 'reset' }, ['closed']],
  ['cuts an answer and closes', { kind: 'partial', bytes: 30, isClosing: true }, ['closed']],
  [
    'cuts an answer in its header and falls silent',
    { kind: 'partial', bytes: 10, isClosing: false },
    ['timeout'],
  ],
  ['hangs', { kind: 'hang' }, ['timeout']],
  ['says that it has too many connections', { kind: 'ascii_error' }, ['protocol', 'unreachable', 'closed']],
] as const) {
  test(`a node that ${title} fails what is in flight within the deadline and serves what comes after`, async () => {
    await using server = await startEmbedded();
    await using node = openNode(server.it);
    await node.it.add('key', newItem(1));
    const about = fault.kind === 'hang' || fault.kind === 'ascii_error' ? {} : { opcodes: [OPCODES.get] };
    await server.it.inject({ ...fault, ...about });
    const operations = Array.from({ length: 20 }, () => node.it.gets('key'));
    const { ok, never, kinds: seen, lastMs } = await countOutcomes(operations, 2_000);
    assert.deepEqual({ ok, never }, { ok: 0, never: 0 });
    assert.ok(lastMs < TIMEOUT_MS + SLACK_MS, `${lastMs} ms`);
    const evidence = Object.keys(seen).filter(
      (kind) => kind !== 'closed' || kinds.some((each) => each === 'closed'),
    );
    assert.ok(
      evidence.length > 0 && evidence.every((kind) => kinds.some((each) => each === kind)),
      evidence.join(),
    );
    await server.it.heal();
    assert.equal((await node.it.gets('key'))?.version, 1);
    assert.equal(node.it.inFlight, 0);
  });
}

for (const [title, answer] of [
  ['belongs to no request', { opaque: 0x7777 }],
  ['is for another kind of request', { opcode: OPCODES.delete }],
  ['starts a login that nobody asked for', { opcode: OPCODES.saslList }],
  ['is a login that nobody asked for', { opcode: OPCODES.saslAuth }],
  ['has no flags', { extras: Buffer.alloc(0) }],
  ['has flags of another length', { extras: Buffer.alloc(8) }],
  ['has no CAS number', { cas: 0n }],
  ['is a request', { magic: MAGIC.request }],
  ['announces more bytes than may be', { value: Buffer.alloc(3_000_000) }],
  ['calls our request invalid', { status: STATUSES.invalid, extras: Buffer.alloc(0) }],
] as const) {
  test(`an answer that ${title} ends the connection, and the next one serves`, async () => {
    let isWrong = false;
    await using server = await startFake((socket, frames) => {
      for (const { opcode, opaque } of frames) {
        const isNoop = opcode === OPCODES.noop;
        const right = isNoop
          ? { magic: MAGIC.response, opcode, opaque }
          : {
              magic: MAGIC.response,
              opcode,
              opaque,
              extras: Buffer.alloc(4),
              cas: 9n,
              value: Buffer.from('x'),
            };
        socket.write(encodeFrame(isWrong && !isNoop ? { ...right, ...answer } : right));
      }
    });
    const lost: NodeError[] = [];
    await using node = openNode(server, { connections: 1, onConnectionLost: (error) => lost.push(error) });
    assert.equal((await node.it.gets('key'))?.cas, 9n);
    isWrong = true;
    const first = node.it.gets('key');
    const second = node.it.gets('key');
    await assert.rejects(first, isKind('protocol'));
    await assert.rejects(second, isKind('closed'));
    isWrong = false;
    assert.equal((await node.it.gets('key'))?.cas, 9n);
    assert.equal(server.accepted, 2);
    assert.deepEqual(lost, []);
  });
}

test('statistics without end are cut off', async () => {
  await using server = await startFake((socket, frames) => {
    for (const { opcode, opaque } of frames) {
      const frame = encodeFrame({ magic: MAGIC.response, opcode, opaque });
      if (opcode === OPCODES.noop) socket.write(frame);
      else for (let index = 0; index < 2_000; index += 1) socket.write(statFrame(opaque, `name-${index}`));
    }
  });
  await using node = openNode(server);
  await assert.rejects(node.it.stats(), isKind('protocol'));
});

test('statuses of a node that is in trouble are told apart from those of a broken one', async () => {
  for (const [status, kind] of [
    [STATUSES.busy, 'server'],
    [STATUSES.temporary, 'server'],
    [STATUSES.tooLarge, 'too_large'],
    [STATUSES.outOfMemory, 'out_of_memory'],
    [STATUSES.auth, 'auth'],
  ] as const) {
    await using server = await startFake((socket, frames) => {
      for (const { opcode, opaque } of frames) {
        const isNoop = opcode === OPCODES.noop;
        socket.write(
          encodeFrame({ magic: MAGIC.response, opcode, opaque, status: isNoop ? STATUSES.ok : status }),
        );
      }
    });
    await using node = openNode(server);
    await assert.rejects(node.it.gets('key'), isKind(kind));
  }
});

test('any slices of the answers are put together again', async () => {
  await using server = await startEmbedded();
  await using proxy = await startFaultProxy({ targetPort: server.it.port });
  await using node = openNode({ host: '127.0.0.1', port: proxy.port }, { timeoutMs: 5_000 });
  const value = Buffer.from(Array.from({ length: 5_000 }, (_, index) => index % 256));
  await node.it.add('key', { version: 3, value, ttlSeconds: 60 });
  for (const sliceBytes of [1, 7, 24, 1_000]) {
    proxy.poison('down', { sliceBytes });
    proxy.poison('up', { sliceBytes });
    const found = await Promise.all([node.it.gets('key'), node.it.gets('missing'), node.it.gets('key')]);
    assert.deepEqual(
      found.map((each) => each?.value.equals(value)),
      [true, undefined, true],
    );
  }
});

test('a slow or cut line to the node ends within the deadline', async () => {
  await using server = await startEmbedded();
  await using proxy = await startFaultProxy({ targetPort: server.it.port, random: () => 0.5 });
  await using node = openNode({ host: '127.0.0.1', port: proxy.port });
  await node.it.add('key', { version: 1, value: Buffer.alloc(500_000), ttlSeconds: 60 });
  for (const toxics of [
    { latencyMs: 2 * TIMEOUT_MS, jitterMs: 50 },
    { bytesPerSecond: 100_000 },
    { isBlackhole: true },
    { limitBytes: 1_000 },
    { limitBytes: 1_000, isResetting: true },
  ]) {
    proxy.poison('down', toxics);
    const { failed, lastMs } = await countOutcomes([node.it.gets('key'), node.it.gets('key')], 2_000);
    assert.equal(failed, 2, JSON.stringify(toxics));
    assert.ok(lastMs < TIMEOUT_MS + SLACK_MS, `${JSON.stringify(toxics)}: ${lastMs} ms`);
    proxy.heal();
    await waitUntil(async () => (await node.it.gets('key').catch(() => null)) !== null, 'it serves again');
  }
});

test('an end of the connection that never arrives ends in a time-out', async () => {
  await using server = await startEmbedded();
  await using proxy = await startFaultProxy({ targetPort: server.it.port });
  await using node = openNode({ host: '127.0.0.1', port: proxy.port }, { connections: 1 });
  await node.it.gets('key');
  proxy.poison('down', { isHalfOpen: true });
  await server.it.inject({ kind: 'refuse' });
  await assert.rejects(node.it.gets('key'), isKind('timeout'));
  await server.it.heal();
  proxy.heal();
  await waitUntil(async () => (await node.it.gets('key').catch(() => 'failed')) === null, 'it serves again');
});

test('an end of the connection that is held up on its way is told when it arrives', async () => {
  await using server = await startEmbedded();
  await using proxy = await startFaultProxy({ targetPort: server.it.port });
  let isLost = false;
  const onConnectionLost = (): void => void (isLost = true);
  await using node = openNode({ host: '127.0.0.1', port: proxy.port }, { connections: 1, onConnectionLost });
  await node.it.gets('key');
  proxy.poison('down', { slowCloseMs: 150 });
  const start = performance.now();
  await server.it.inject({ kind: 'refuse' });
  await waitUntil(() => isLost, 'the loss is told');
  assert.ok(performance.now() - start >= 140);
});

test('a node that closes is noticed at once, even while it takes nothing of what we send', async () => {
  await using server = await startFake((socket, frames) => {
    for (const { opcode } of frames) {
      if (opcode !== OPCODES.noop) continue;
      socket.write(encodeFrame({ magic: MAGIC.response, opcode }));
      socket.pause();
      setTimeout(() => socket.end(), 50);
    }
  });
  await using node = openNode(server, { connections: 1, timeoutMs: 5_000 });
  const writes = Array.from({ length: 20 }, (_, index) => node.it.add(`key-${index}`, newItem(1, 900_000)));
  const { kinds } = await countOutcomes(writes, 2_000);
  assert.deepEqual(kinds, { closed: 20 });
});

test('the counter of requests starts over before it is too large for memjs', async () => {
  const opaques: number[] = [];
  await using server = await startFake((socket, frames) => {
    for (const { opcode, opaque } of frames) {
      const isNoop = opcode === OPCODES.noop;
      if (!isNoop) opaques.push(opaque);
      const status = isNoop ? STATUSES.ok : STATUSES.notFound;
      socket.write(encodeFrame({ magic: MAGIC.response, opcode, opaque, status }));
    }
  });
  await using node = openNode(server, { connections: 1, firstOpaque: 0x7fff_fffe });
  await Promise.all(Array.from({ length: 4 }, () => node.it.gets('key')));
  assert.deepEqual(opaques, [0x7fff_fffe, 0x7fff_ffff, 1, 2]);
});

function statFrame(opaque: number, name: string): Buffer {
  const [key, value] = [Buffer.from(name), Buffer.from('1')];
  return encodeFrame({ magic: MAGIC.response, opcode: OPCODES.stat, opaque, key, value });
}

test('fifty sessions on connections that break off at any byte: each read gets its own record or none', async () => {
  await using memcached = await startMemcached();
  await using proxy = await startFaultProxy({ targetPort: memcached.port });
  const keys = Array.from({ length: 50 }, (_, index) => `user-${index}`);
  const recordOf = (key: string): Buffer => Buffer.from(`${key};`.repeat(40 + key.length));
  {
    await using direct = openNode(memcached, { timeoutMs: 5_000 });
    for (const key of keys) await direct.it.add(key, { version: 1, value: recordOf(key), ttlSeconds: 60 });
  }
  await using node = openNode({ host: '127.0.0.1', port: proxy.port });
  const own = { read: 0, failed: 0 };
  for (let round = 0; round < 40; round += 1) {
    // Each connection ends somewhere else: in a header, in a key, in a record, between two answers.
    proxy.poison('down', { limitBytes: 500 + round * 211, sliceBytes: 1 + (round % 97) });
    await Promise.all(
      keys.map(async (key) => {
        const item = await node.it.gets(key).catch(() => undefined);
        if (item === undefined) own.failed += 1;
        else {
          own.read += 1;
          assert.deepEqual(item?.value, recordOf(key), key);
        }
      }),
    );
  }
  assert.ok(own.read > 100 && own.failed > 100, JSON.stringify(own));
});

test('a node that is started as the page says does not understand text that is smuggled to it', async () => {
  await using memcached = await startMemcached();
  for (const text of [
    'stats\r\n',
    'set a 0 0 1\r\nx\r\n',
    'POST / HTTP/1.1\r\nstats cachedump 1 0\r\n\r\n',
  ]) {
    // It keeps the connection, and says nothing.
    const { text: answer } = await sendRaw(`http://${memcached.host}:${memcached.port}`, text, 500);
    assert.equal(answer, '', text);
  }
});
