/** How the driver puts the requests of one turn of the event loop on its connections. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { encodeFrame, MAGIC, OPCODES, STATUSES } from '../../packages/bridge/src/binary-frames.ts';
import type { MemcachedNode } from '../../packages/bridge/src/node.ts';
import { type FakeServer, startFake } from '../support/fake-server.ts';
import { newItem, openNode } from '../support/nodes.ts';
import { waitUntil } from '../support/wait.ts';

const CONNECTIONS = 2;
/** What one turn puts on one connection before the other one gets its share. */
const MOST_GATHERED = 64;
const MOST_GATHERED_BYTES = 65_536;

interface Counting extends FakeServer {
  /** Requests by connection, without greetings. */
  readonly requests: Map<Socket, number>;
}

/** A server that finds nothing, stores everything, and counts. */
async function startCounting(): Promise<Counting> {
  const requests = new Map<Socket, number>();
  const server = await startFake((socket, frames) => {
    for (const { opcode, opaque } of frames) {
      const isRead = opcode === OPCODES.get;
      const status = isRead ? STATUSES.notFound : STATUSES.ok;
      socket.write(encodeFrame({ magic: MAGIC.response, opcode, opaque, status, cas: 1n }));
      if (opcode !== OPCODES.noop) requests.set(socket, (requests.get(socket) ?? 0) + 1);
    }
  });
  return Object.assign(server, { requests });
}

/** Makes the node use all of its connections, and forgets what was counted. */
async function warmUp(node: MemcachedNode, server: Counting): Promise<void> {
  await waitUntil(async () => {
    await ask(node, 2 * MOST_GATHERED);
    return server.requests.size === CONNECTIONS;
  }, 'all connections are used');
  server.requests.clear();
}

async function ask(node: MemcachedNode, times: number): Promise<void> {
  await Promise.all(Array.from({ length: times }, () => node.gets('any')));
}

test('what one turn of the event loop asks of a node goes over one connection', async () => {
  await using server = await startCounting();
  await using node = openNode(server, { connections: CONNECTIONS });
  await warmUp(node.it, server);
  await ask(node.it, MOST_GATHERED);
  assert.deepEqual([...server.requests.values()], [MOST_GATHERED]);
});

test('no more than 64 requests of one turn wait behind each other while another connection is free', async () => {
  await using server = await startCounting();
  await using node = openNode(server, { connections: CONNECTIONS });
  await warmUp(node.it, server);
  await ask(node.it, MOST_GATHERED + 1);
  assert.deepEqual(
    [...server.requests.values()].toSorted((a, b) => a - b),
    [1, MOST_GATHERED],
  );
});

test('large values of one turn are spread over the connections', async () => {
  await using server = await startCounting();
  await using node = openNode(server, { connections: CONNECTIONS });
  await warmUp(node.it, server);
  const item = newItem(1, MOST_GATHERED_BYTES);
  await Promise.all(['a', 'b', 'c', 'd'].map((key) => node.it.add(key, item)));
  assert.deepEqual([...server.requests.values()], [2, 2]);
});
