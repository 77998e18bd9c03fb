/** HTTP written byte by byte, for requests that no client would send. */
import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawReply {
  /** All status lines that came back, e.g. `[400]`. */
  readonly statuses: readonly number[];
  readonly text: string;
  /** Whether the server closed the connection. */
  readonly isClosed: boolean;
  readonly tookMs: number;
}

/** Of a connection that stays open nobody can tell whether more comes; a busy machine takes its time, milliseconds. */
const QUIET_MS = 10_000;

/** Sends the bytes and reads until the connection closes or nothing comes for `quietMs`. */
export async function sendRaw(url: string, bytes: string | Buffer, quietMs = QUIET_MS): Promise<RawReply> {
  const { hostname, port } = new URL(url);
  const began = performance.now();
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  let text = '';
  let isClosed = false;
  const done = new Promise<void>((resolve) => {
    let timer = setTimeout(resolve, quietMs);
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
      clearTimeout(timer);
      timer = setTimeout(resolve, quietMs);
    });
    socket.once('close', () => {
      isClosed = true;
      clearTimeout(timer);
      resolve();
    });
  });
  socket.on('error', () => {
    // A reset is a close.
  });
  socket.write(bytes);
  await done;
  socket.destroy();
  const statuses = [...text.matchAll(/HTTP\/1\.1 ([0-9]{3})/g)].map(([, status]) => Number(status));
  return { statuses, text, isClosed, tookMs: performance.now() - began };
}
