import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { resetSocket } from '../../packages/bridge/src/reset-socket.ts';

test('a reset connection breaks for the other side', async () => {
  await using pair = await openPair();
  const broken = once(pair.far, 'error');
  resetSocket(pair.near);
  const [error] = await broken;
  assert.equal(error.code, 'ECONNRESET');
});

test('a connection whose end was already said closes all the same', async () => {
  await using pair = await openPair();
  const closed = once(pair.near, 'close');
  pair.near.end();
  resetSocket(pair.near);
  await closed;
});

test('a connection that is still being made is given up at once', async () => {
  await using pair = await openPair();
  const { remotePort = 0 } = pair.near;
  const socket = connect(remotePort, '127.0.0.1');
  let hasConnected = false;
  socket.once('connect', () => (hasConnected = true));
  const closed = once(socket, 'close');
  resetSocket(socket);
  await closed;
  assert.equal(hasConnected, false);
});

interface Pair extends AsyncDisposable {
  readonly near: Socket;
  readonly far: Socket;
}

async function openPair(): Promise<Pair> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  const accepted = once(server, 'connection');
  const near = connect(address.port, '127.0.0.1');
  await once(near, 'connect');
  const [far]: Socket[] = await accepted;
  assert.ok(far);
  far.resume();
  return {
    near,
    far,
    async [Symbol.asyncDispose]() {
      near.destroy();
      far.destroy();
      server.close();
    },
  };
}
