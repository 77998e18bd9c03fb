import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { Connections, SPARE_CONNECTIONS } from '../../packages/bridge/src/connections.ts';

const MOST = 3;

/** So many connections that have come in one turn of the event loop. */
function join(connections: Connections, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () => new Socket());
  for (const socket of sockets) connections.add(socket);
  return sockets;
}

test('of connections that come in one turn each one beyond the spare places ends another', async () => {
  let refused = 0;
  const connections = new Connections(MOST, () => (refused += 1));
  const sockets = join(connections, MOST + SPARE_CONNECTIONS + 100);
  const ended = sockets.filter(({ destroyed }) => destroyed);
  assert.deepEqual(ended, sockets.slice(MOST, MOST + 100), 'those that have been silent longest');
  await once(sockets[MOST + 99] ?? new Socket(), 'close');
  assert.equal(connections.open, MOST + SPARE_CONNECTIONS);
  assert.equal(refused, 100);
});

test('a connection beyond the limit that was served is none that was refused', async () => {
  let refused = 0;
  const connections = new Connections(MOST, () => (refused += 1));
  const sockets = join(connections, MOST + 2);
  const spare = sockets.filter((socket) => connections.isSpare(socket));
  assert.deepEqual(spare, sockets.slice(MOST));
  const [served, unserved] = spare;
  assert.ok(served !== undefined && unserved !== undefined);
  connections.serveSpare(served);
  await Promise.all(spare.map((socket) => once(socket.destroy(), 'close')));
  assert.equal(refused, 1);
  assert.equal(connections.open, MOST);
});
