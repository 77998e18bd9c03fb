/** Which ports are used, and a clear word when one is taken. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections, which would take it before it is used. */
const LOWEST_PORT = 11_000;
const HIGHEST_PORT = 29_999;
const TRIES = 100;

/** A port of this machine that was free a moment ago; on loopback, if nothing else is said. */
export async function findFreePort(host = '127.0.0.1'): Promise<number> {
  for (let left = TRIES; left > 0; left -= 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT + 1);
    if (await isPortFree(port, host)) return port;
  }
  throw new Error(`of ${TRIES} ports on ${host} none was free`);
}

/** Whether something may listen on the port, on all addresses if no host is given. */
export async function isPortFree(port: number, host?: string): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

/** Whether something accepts connections on the port. */
export async function answersOnPort(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Whether a URL answers that all is well within two seconds; another program on the port knows no such URL. */
export async function answersOnUrl(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: 'manual' });
    return response.ok;
  } catch {
    return false;
  }
}
