/** A TCP server that answers requests of the binary protocol with whatever a test wants. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { decodeFrames, FrameSplitter, MAGIC } from '../../packages/bridge/src/binary-frames.ts';
import type { Frame } from '../../packages/bridge/src/binary-frames.ts';

export interface FakeServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly accepted: number;
}

/** `serve` gets the requests of one chunk of bytes at a time. */
export async function startFake(
  serve: (socket: Socket, frames: readonly Frame[], chunkBytes: number) => void,
): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer((socket) => {
    accepted += 1;
    sockets.add(socket);
    const splitter = new FrameSplitter({ magic: MAGIC.request, maxBodyBytes: 1_000_000 });
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const bytes = splitter.take(chunk);
      if (bytes !== null) serve(socket, [...decodeFrames(bytes)], chunk.length);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return {
    host: '127.0.0.1',
    port: address.port,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
