/** Ends a TCP connection with a reset. */
import type { Socket } from 'node:net';

/**
 * What the kernel still holds of the connection is thrown away, unless the end was already said to the other
 * side. Node's own `resetAndDestroy` must not be called then: it fails, and neither the socket nor, later, the
 * process ends. While a connection is being made it would wait until it is made.
 */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
