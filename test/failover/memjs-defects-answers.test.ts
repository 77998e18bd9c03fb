/** Defects of memjs 1.3.2 with large answers, errors and its end, M16 to M20: each is shown, and that the node has it not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Server } from 'memjs';
import { encodeFrame, MAGIC, OPCODES } from '../../packages/bridge/src/binary-frames.ts';
import { createBare, fateOf } from '../support/bare-memjs.ts';
import { answerGets, hit, recordSockets, startFake } from '../support/fake-server.ts';
import { startMemcached } from '../support/memcached.ts';
import { openNode, startEmbedded } from '../support/nodes.ts';
import { isKind } from '../support/outcomes.ts';
import { startSaslMemcached } from '../support/sasl.ts';
import { waitUntil } from '../support/wait.ts';

/** Five times what memjs is told to wait. */
const LONG_MS = 1_000;

test('M16: memjs collects an answer without end; the node refuses it by its header', async () => {
  const piece = Buffer.alloc(65_536);
  const { serve } = recordSockets((socket, frame) => {
    if (frame.opcode === OPCODES.noop)
      socket.write(encodeFrame({ magic: MAGIC.response, opcode: OPCODES.noop }));
    if (frame.opcode !== OPCODES.get) return;
    const header = encodeFrame(hit(frame)).subarray(0, 24);
    header.writeUInt32BE(0xffff_ffff, 8);
    socket.write(header);
    for (let index = 0; index < 100; index += 1) socket.write(piece);
  });
  await using server = await startFake(serve);
  using bare = createBare(server);
  bare.client.get('key').catch(() => {});
  await waitUntil(() => bare.server.responseBuffer.length >= 100 * piece.length, 'memjs has kept it all');
  await using node = openNode(server);
  await assert.rejects(node.it.gets('key'), isKind('protocol'));
});

test('M17: an exception on an answer escapes from memjs and ends the process; in the node it fails its operation', async () => {
  const bare = new Server('127.0.0.1', 1);
  bare.onResponse(7, () => {
    throw new Error('the callback failed');
  });
  const answer = encodeFrame({ magic: MAGIC.response, opcode: OPCODES.get, opaque: 7 });
  assert.throws(() => bare.responseHandler(answer), /the callback failed/);
  // Without flags there is nothing where the version should be.
  await using server = await startFake(
    answerGets((frame) => encodeFrame({ ...hit(frame), extras: Buffer.alloc(0) })),
  );
  await using node = openNode(server);
  await assert.rejects(node.it.gets('key'), isKind('protocol'));
});

test('M18: memjs cannot be given an IPv6 address, and takes an empty list for localhost; the node can, and does not', async () => {
  assert.equal(Client.create('[::1]:11311').servers[0]?.host, '[');
  assert.equal(Client.create('').servers[0]?.host, 'localhost');
  await using memcached = await startMemcached({ host: '::1' });
  await using node = openNode(memcached);
  assert.equal(await node.it.gets('key'), null);
  assert.throws(() => openNode({ host: '', port: 11211 }), TypeError);
});

test('M19: memjs forgets what is in flight when it is closed, and connects in order to quit; the node does neither', async () => {
  await using quiet = await startFake(answerGets((frame) => encodeFrame(hit(frame))));
  await openNode(quiet).it.close();
  using quitter = createBare(quiet);
  quitter.client.quit();
  await waitUntil(() => quiet.accepted === 1, 'memjs, and nobody else, has connected');
  await using server = await startEmbedded();
  using bare = createBare(server.it);
  await bare.client.get('warm');
  await server.it.inject({ kind: 'fin', opcodes: [OPCODES.get] });
  const pending = bare.client.get('key');
  bare.client.close();
  assert.equal(await fateOf(pending, LONG_MS), 'never');
  const node = openNode(server.it);
  const inFlight = node.it.gets('key');
  const [fate] = await Promise.all([fateOf(inFlight, LONG_MS), node.it.close()]);
  assert.equal(fate, 'failed');
});

test('M20: memjs reports a refused login as a text; the node as an error', async () => {
  await using sasl = await startSaslMemcached({ username: 'bridge', password: 'right' });
  using bare = createBare(sasl.memcached, { login: { username: 'bridge', password: 'wrong' } });
  await assert.rejects(bare.client.get('key'), (error) => typeof error === 'string');
  await using node = openNode(sasl.memcached, { username: 'bridge', password: 'wrong' });
  await assert.rejects(node.it.gets('key'), isKind('auth'));
});
