/** memjs without the bridge's driver around it, to show why there is one. */
import { Client, Server } from 'memjs';
import type { ClientOptions } from 'memjs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Login } from './sasl.ts';

export interface BareOptions extends ClientOptions {
  readonly login?: Login;
  /** Seconds, as memjs counts. */
  readonly timeout?: number;
}

/** A client of one server that gives up after 0.2 seconds, or should. */
export function createBare(
  target: { readonly host: string; readonly port: number },
  options: BareOptions = {},
): { readonly client: Client; readonly server: Server } & Disposable {
  const { login, timeout = 0.2, ...rest } = options;
  const server = new Server(target.host, target.port, login?.username, login?.password, { timeout });
  const client = new Client([server], { retries: 1, logger: { log() {} }, ...rest });
  return {
    client,
    server,
    [Symbol.dispose]() {
      server._socket?.on('error', () => {});
      server._socket?.destroy();
    },
  };
}

/** How a promise has ended after so many milliseconds. */
export async function fateOf(promise: Promise<unknown>, limitMs: number): Promise<'ok' | 'failed' | 'never'> {
  const limit = new AbortController();
  const fate = await Promise.race([
    promise.then(
      () => 'ok' as const,
      () => 'failed' as const,
    ),
    sleep(limitMs, 'never' as const, { signal: limit.signal }),
  ]);
  limit.abort();
  return fate;
}
