/** Defects of memjs 1.3.2 in its connections, M1 to M7: each is shown, and that the node has it not. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeFrame, MAGIC, OPCODES } from '../../packages/bridge/src/binary-frames.ts';
import { createBare, fateOf } from '../support/bare-memjs.ts';
import { answerGets, hit, recordSockets, startFake } from '../support/fake-server.ts';
import { addItem, openNode, startEmbedded } from '../support/nodes.ts';
import { countOutcomes, isKind } from '../support/outcomes.ts';
import { waitUntil } from '../support/wait.ts';

/** Five times what memjs is told to wait. */
const LONG_MS = 1_000;

test('M1: memjs never calls back when the server closes; the node fails the operation', async () => {
  await using server = await startEmbedded({ fault: { kind: 'fin', opcodes: [OPCODES.get] } });
  using bare = createBare(server.it);
  assert.equal(await fateOf(bare.client.get('key'), LONG_MS), 'never');
  await using node = openNode(server.it);
  await assert.rejects(node.it.gets('key'), isKind('closed'));
});

test('M2: memjs does not time out while it goes on writing; the node does', async () => {
  await using server = await startEmbedded({ fault: { kind: 'hang' } });
  // Longer than a busy machine may pause between two writes.
  using bare = createBare(server.it, { timeout: 1 });
  const longMs = 3_000;
  await using node = openNode(server.it);
  await server.it.heal();
  await Promise.all([bare.client.get('warm'), node.it.gets('warm')]);
  await server.it.inject({ kind: 'hang' });
  const first = { bare: bare.client.get('key'), node: node.it.gets('key') };
  const fates = Promise.all([fateOf(first.bare, longMs), fateOf(first.node, longMs)]);
  for (let elapsed = 0; elapsed < longMs; elapsed += 50) {
    bare.client.get('key').catch(() => {});
    node.it.gets('key').catch(() => {});
    await sleep(50);
  }
  assert.deepEqual(await fates, ['never', 'failed']);
});

test('M3: memjs keeps half an answer over a reconnect and is lost for ever; the node starts afresh', async () => {
  await using server = await startEmbedded();
  using bare = createBare(server.it);
  await using node = openNode(server.it);
  await addItem(node.it, 'key');
  await server.it.inject({ kind: 'partial', bytes: 26, isClosing: false, opcodes: [OPCODES.get] });
  assert.equal(await fateOf(bare.client.get('key'), LONG_MS), 'failed');
  await assert.rejects(node.it.gets('key'), isKind('timeout'));
  await server.it.heal();
  for (let attempt = 0; attempt < 3; attempt += 1)
    assert.notEqual(await fateOf(bare.client.get('key'), 500), 'ok');
  assert.equal((await node.it.gets('key'))?.version, 1);
});

for (const [title, wrong] of [
  ['M4: memjs takes a frame with any first byte for an answer; the node does not', { magic: MAGIC.request }],
  ['M5: memjs takes the answer to another kind of request; the node does not', { opcode: OPCODES.replace }],
] as const) {
  test(title, async () => {
    await using server = await startFake(answerGets((frame) => encodeFrame({ ...hit(frame), ...wrong })));
    using bare = createBare(server);
    assert.equal((await bare.client.get('key')).value?.toString(), 'value');
    await using node = openNode(server);
    await assert.rejects(node.it.gets('key'), isKind('protocol'));
  });
}

test('M4: memjs waits for ever on lengths that contradict each other; the node does not', async () => {
  await using server = await startFake(
    answerGets((frame) => {
      const broken = encodeFrame({ magic: MAGIC.response, opcode: frame.opcode, opaque: frame.opaque });
      broken.writeUInt16BE(5, 2);
      return broken;
    }),
  );
  using bare = createBare(server);
  assert.equal(await fateOf(bare.client.get('key'), 150), 'never');
  await using node = openNode(server);
  const { kinds, lastMs } = await countOutcomes([node.it.gets('key')], 2_000);
  assert.deepEqual(kinds, { protocol: 1 });
  assert.ok(lastMs < 150, `${lastMs} ms`);
});

test('M5: memjs sends its password to whoever asks, at any time; the node does not', async () => {
  const login = { username: 'bridge', password: 'secret' };
  for (const [who, expected] of [
    ['memjs', 2],
    ['node', 1],
  ] as const) {
    let passwords = 0;
    await using server = await startFake((socket, frames) => {
      for (const { opcode, opaque } of frames) {
        if (opcode === OPCODES.saslAuth) passwords += 1;
        const answer = opcode === OPCODES.get ? OPCODES.saslList : opcode;
        socket.write(encodeFrame({ magic: MAGIC.response, opcode: answer, opaque }));
      }
    });
    if (who === 'memjs') {
      using bare = createBare(server, { login });
      await fateOf(bare.client.get('key'), LONG_MS);
    } else {
      await using node = openNode(server, login);
      await assert.rejects(node.it.gets('key'), isKind('protocol'));
    }
    assert.equal(passwords, expected);
  }
});

test('M6: memjs leaves the socket of a time-out open; the node does not', async () => {
  for (const [who, expected] of [
    ['memjs', 3],
    ['node', 0],
  ] as const) {
    const { sockets, serve } = recordSockets(() => {});
    await using server = await startFake(serve, { allowHalfOpen: true });
    using bare = createBare(server);
    await using node = openNode(server);
    for (let round = 0; round < 3; round += 1) {
      const operation = who === 'memjs' ? bare.client.get('key') : node.it.gets('key');
      assert.equal(await fateOf(operation, LONG_MS), 'failed');
    }
    await waitUntil(
      () => sockets.length === 3 && sockets.filter(isAlive).length === expected,
      'sockets are as expected',
    );
  }
});

test('M6: in memjs the end of an old socket fails requests on the new one; in the node it does not', async () => {
  for (const [who, expected] of [
    ['memjs', 'failed'],
    ['node', 'ok'],
  ] as const) {
    const { sockets, serve } = recordSockets((socket, frame) => {
      if (frame.opcode === OPCODES.noop)
        socket.write(encodeFrame({ magic: MAGIC.response, opcode: OPCODES.noop }));
      if (frame.opcode !== OPCODES.get || sockets.indexOf(socket) === 0) return;
      // The old socket breaks while the new one is about to answer.
      sockets[0]?.resetAndDestroy();
      setTimeout(() => socket.write(encodeFrame(hit(frame))), 50);
    });
    await using server = await startFake(serve, { allowHalfOpen: true });
    using bare = createBare(server);
    await using node = openNode(server, { connections: 1 });
    const ask = (): Promise<unknown> => (who === 'memjs' ? bare.client.get('key') : node.it.gets('key'));
    assert.equal(await fateOf(ask(), LONG_MS), 'failed');
    assert.equal(await fateOf(ask(), LONG_MS), expected);
  }
});

test('M7: in memjs the end of an old socket turns off the time-out of the new one; in the node it does not', async () => {
  for (const [who, expected] of [
    ['memjs', 'never'],
    ['node', 'failed'],
  ] as const) {
    const { sockets, serve } = recordSockets((socket, frame) => {
      if (frame.opcode === OPCODES.noop)
        socket.write(encodeFrame({ magic: MAGIC.response, opcode: OPCODES.noop }));
      // The old socket ends properly while the new one has just been asked and will not answer.
      if (frame.opcode === OPCODES.get && sockets.indexOf(socket) > 0) sockets[0]?.end();
    });
    await using server = await startFake(serve, { allowHalfOpen: true });
    using bare = createBare(server);
    await using node = openNode(server, { connections: 1 });
    const ask = (): Promise<unknown> => (who === 'memjs' ? bare.client.get('key') : node.it.gets('key'));
    assert.equal(await fateOf(ask(), LONG_MS), 'failed');
    assert.equal(await fateOf(ask(), LONG_MS), expected);
  }
});

function isAlive(socket: Socket): boolean {
  return !socket.destroyed;
}
