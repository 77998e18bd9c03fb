/** Speaks the binary protocol without any driver, for tests of what a server does with each byte. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import {
  decodeFrames,
  encodeFrame,
  FrameSplitter,
  MAGIC,
  OPCODES,
} from '../../packages/bridge/src/binary-frames.ts';
import type { Frame, FrameParts } from '../../packages/bridge/src/binary-frames.ts';

export interface Exchange {
  /** All answers to the requests, in order. */
  readonly answers: readonly Frame[];
  /** Whether the server closed the connection. */
  readonly isClosed: boolean;
}

const LARGEST_ANSWER_BYTES = 4_194_304;
/** Longest time for one exchange. */
const LIMIT_MS = 5_000;
/** The opaque number of the NOOP that ends an exchange. */
const LAST = 0xffff_ffff;

/** One connection; made again when the server has closed it. */
export class RawClient {
  readonly #host: string;
  readonly #port: number;
  #socket: Socket | undefined;

  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  /** Sends the requests in one piece and waits for all answers, or for the end of the connection. */
  async exchange(requests: readonly Omit<FrameParts, 'magic'>[]): Promise<Exchange> {
    const socket = await this.#connected();
    const frames = requests.map((request) => encodeFrame({ magic: MAGIC.request, ...request }));
    frames.push(encodeFrame({ magic: MAGIC.request, opcode: OPCODES.noop, opaque: LAST }));
    const exchange = collect(socket);
    socket.write(Buffer.concat(frames));
    const { answers, isClosed } = await exchange;
    if (isClosed) this.#socket = undefined;
    return { answers: answers.filter(({ opaque }) => opaque !== LAST), isClosed };
  }

  close(): void {
    this.#socket?.destroy();
  }

  async #connected(): Promise<Socket> {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket;
    const socket = connect(this.#port, this.#host);
    socket.setNoDelay(true);
    await once(socket, 'connect');
    socket.on('error', () => {});
    this.#socket = socket;
    return socket;
  }
}

/** Reads until the answer to the last NOOP or the end of the connection. */
function collect(socket: Socket): Promise<Exchange> {
  const splitter = new FrameSplitter({ magic: MAGIC.response, maxBodyBytes: LARGEST_ANSWER_BYTES });
  const answers: Frame[] = [];
  return new Promise((resolve, reject) => {
    const finish = (isClosed: boolean): void => {
      clearTimeout(timer);
      socket.removeAllListeners('data').removeAllListeners('close');
      resolve({ answers, isClosed });
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`The server has not answered within ${LIMIT_MS} ms.`));
    }, LIMIT_MS);
    socket.once('close', () => finish(true));
    socket.on('data', (chunk: Buffer) => {
      try {
        const bytes = splitter.take(chunk);
        if (bytes !== null) answers.push(...decodeFrames(bytes));
      } catch {
        // A line of text: the server does not want this connection.
        socket.destroy();
      }
      if (answers.at(-1)?.opaque === LAST) finish(false);
    });
  });
}
