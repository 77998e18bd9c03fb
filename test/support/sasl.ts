/** A memcached that asks for a user name and a password (SASL PLAIN). */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startMemcached } from './memcached.ts';
import type { Memcached } from './memcached.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

export interface SaslMemcached extends AsyncDisposable {
  readonly memcached: Memcached;
  /** Lets in these users from now on, and no others. Who has logged in stays so. */
  allow(logins: readonly Login[]): void;
}

/**
 * Starts it with one user. Cyrus SASL, which memcached uses, asks a password daemon over a Unix socket; the
 * daemon is played here, so that no password database and no further program is needed.
 */
export async function startSaslMemcached(login: Login): Promise<SaslMemcached> {
  const directory = mkdtempSync(join(tmpdir(), 'memsession-sasl-'));
  const socketPath = join(directory, 'mux');
  const config = `mech_list: plain\npwcheck_method: saslauthd\nsaslauthd_path: ${socketPath}\n`;
  writeFileSync(join(directory, 'memcached.conf'), config);
  let logins: readonly Login[] = [login];
  const daemon = createServer((socket) => answer(socket, logins)).listen(socketPath);
  await once(daemon, 'listening');
  // memcached gives up root, and must still come in.
  chmodSync(directory, 0o755);
  chmodSync(socketPath, 0o777);
  const memcached = await startMemcached({ flags: ['-S'], env: { SASL_CONF_PATH: directory } });
  return {
    memcached,
    allow: (others) => (logins = others),
    async [Symbol.asyncDispose]() {
      await memcached.kill();
      daemon.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The daemon's protocol: four strings, each after its length in two bytes; one string comes back. */
function answer(socket: Socket, logins: readonly Login[]): void {
  let received = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const strings = readStrings(received);
    if (strings.length < 4) return;
    const isRight = logins.some(
      ({ username, password }) => strings[0] === username && strings[1] === password,
    );
    const verdict = Buffer.from(isRight ? 'OK' : 'NO');
    socket.end(Buffer.concat([Buffer.from([0, verdict.length]), verdict]));
  });
}

function readStrings(bytes: Buffer): string[] {
  const strings: string[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) break;
    strings.push(bytes.toString('utf8', at + 2, end));
    at = end;
  }
  return strings;
}
