/** Instances of the Next.js app for measuring: built once, started as production servers. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answersOnUrl, findFreePort } from '../../examples/start/ports.ts';
import { findNext } from '../../examples/start/stack.ts';
import { BRIDGE_SECRET } from '../support/app.ts';
import { SECRET } from '../support/client-instance.ts';
import type { Contender } from './contenders.ts';
import { MeasuredProcess } from './measured-process.ts';
import { requirePeer } from './peers.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const APP = fileURLToPath(new URL('next-app', import.meta.url));
const STAMP = join(APP, '.next', 'built-from');
const SOURCES = [
  'test/bench/next-app/{app,pages,lib}/**/*.*',
  'packages/client/dist/**/*.js',
  'package-lock.json',
];
const ENV = { SESSION_SECRET: SECRET, BRIDGE_SECRET, NEXT_TELEMETRY_DISABLED: '1', NODE_ENV: 'production' };

/** A production server of the app whose sessions are this project's, or iron-session's, by the path. */
export async function startNext(bridgeUrl: string): Promise<Contender> {
  buildWhenStale();
  return start('Next.js', [findNext(APP), 'start', '--hostname', '127.0.0.1'], { BRIDGE_URL: bridgeUrl });
}

/** The app behind a custom server with express-session and Redis. */
export async function startExpressNext(redisUrl: string): Promise<Contender> {
  const script = requirePeer('express-next.mjs');
  buildWhenStale();
  return start('Next.js behind express', [script], { REDIS_URL: redisUrl, APP_FOLDER: APP });
}

async function start(
  name: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Contender> {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const started = await MeasuredProcess.start('measured', {
    name,
    command: process.execPath,
    args: args[0]?.endsWith('next') === true ? [...args, '--port', `${port}`] : args,
    cwd: APP,
    env: { ...ENV, ...env, PORT: `${port}` },
    isHealthy: () => answersOnUrl(`${url}/api/plain`),
  });
  return { url, port, process: started, stop: () => started.stop() };
}

function buildWhenStale(): void {
  const hash = createHash('sha256');
  for (const path of globSync(SOURCES, { cwd: ROOT }).toSorted()) {
    hash.update(path).update(readFileSync(join(ROOT, path)));
  }
  const wanted = hash.digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  console.error('Building the Next.js app for measuring …');
  const { status, stdout, stderr } = spawnSync(process.execPath, [findNext(APP), 'build'], {
    cwd: APP,
    encoding: 'utf8',
    env: { ...process.env, ...ENV },
  });
  if (status !== 0) throw new Error(`The Next.js app for measuring cannot be built:\n${stdout}\n${stderr}`);
  writeFileSync(STAMP, wanted);
}
