/** A TCP server that answers requests of the binary protocol with whatever a test wants. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import {
  decodeFrames,
  encodeFrame,
  FrameSplitter,
  MAGIC,
  OPCODES,
  STATUSES,
} from '../../packages/bridge/src/binary-frames.ts';
import type { Frame, FrameParts } from '../../packages/bridge/src/binary-frames.ts';

export interface FakeServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  readonly accepted: number;
}

/** `serve` gets the requests of one chunk of bytes at a time. */
export async function startFake(
  serve: (socket: Socket, frames: readonly Frame[], chunkBytes: number) => void,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<FakeServer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer(options, (socket) => {
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

/** The parts of an answer that finds a value. */
export function hit(request: Frame): FrameParts {
  const { opcode, opaque } = request;
  const value = Buffer.from('value');
  return {
    magic: MAGIC.response,
    opcode,
    opaque,
    status: STATUSES.ok,
    cas: 1n,
    extras: Buffer.alloc(4),
    value,
  };
}

/** Answers reads in the given way and greetings properly. */
export function answerGets(
  answer: (request: Frame) => Buffer,
): (socket: Socket, frames: readonly Frame[]) => void {
  return (socket, frames) => {
    for (const frame of frames) {
      const { opcode, opaque } = frame;
      socket.write(
        opcode === OPCODES.get ? answer(frame) : encodeFrame({ magic: MAGIC.response, opcode, opaque }),
      );
    }
  };
}

/** Remembers the sockets in the order of their first requests. */
export function recordSockets(serve: (socket: Socket, frame: Frame) => void): {
  readonly sockets: Socket[];
  readonly serve: (socket: Socket, frames: readonly Frame[]) => void;
} {
  const sockets: Socket[] = [];
  return {
    sockets,
    serve(socket, frames) {
      if (!sockets.includes(socket)) sockets.push(socket);
      for (const frame of frames) serve(socket, frame);
    },
  };
}
