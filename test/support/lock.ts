/** Work that only one process of this machine may do at a time. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const POLL_MS = 200;
const WAIT_MS = 900_000;

/** Runs `work` when no other process works under this name; waits for that, blocking. */
export function withLock<T>(name: string, work: () => T): T {
  const lock = join(tmpdir(), `memsession-${name}.lock`);
  const giveUpAt = Date.now() + WAIT_MS;
  while (!take(lock)) {
    if (Date.now() > giveUpAt) throw new Error(`Another process works for too long: ${lock}`);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

/** A directory is made by one process only; its owner's id tells whether the owner still lives. */
function take(lock: string): boolean {
  try {
    mkdirSync(lock);
    writeFileSync(join(lock, 'pid'), String(process.pid));
    return true;
  } catch {
    if (isOwnerDead(lock)) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

function isOwnerDead(lock: string): boolean {
  let pid: number;
  try {
    pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
  } catch {
    return false;
  }
  try {
    // Signal 0 only asks whether the process is there. An empty file is one that is being written.
    if (pid > 0) process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
