/** What may go wrong in the moment in which a worker begins, and in which one ends. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { BridgeClient, makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: Memcached[] = [];
/** Inside the repository, so that a copy of the program finds its dependencies. */
let folder = '';

before(async () => {
  nodes = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  folder = await mkdtemp(fileURLToPath(new URL('../../node_modules/.bridge-', import.meta.url)));
});
after(async () => {
  for (const node of nodes) await node.kill();
  await rm(folder, { recursive: true });
});

function start(env: Record<string, string>, main?: string): Promise<BridgeProcess> {
  return startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', NODE_TIMEOUT_MS: '5000', ...env },
    ...(main === undefined ? {} : { main }),
  });
}

/** The processes that were started by the bridge. */
async function workerPids({ pid }: BridgeProcess): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}

const isDone = ({ log }: BridgeProcess): boolean =>
  log.some(({ msg }) => msg === 'all workers were replaced');

test('a worker that begins while a secret is taken out does not go on with it', async () => {
  const appsFile = join(folder, 'apps.json');
  const next = 'the next secret of the shop with over 32 bytes';
  await writeFile(appsFile, JSON.stringify({ shop: { secrets: [BRIDGE_SECRET] } }));
  // The old ones take their time to go, so that the beginning of the new ones is seen.
  await using bridge = await start({ BRIDGE_SECRET: '', APPS_FILE: appsFile, STOP_WAIT_MS: '2500' });
  await writeFile(appsFile, JSON.stringify({ shop: { secrets: [next] } }));
  bridge.signal('SIGUSR2');
  await waitUntil(async () => (await workerPids(bridge)).length === 3, 'the first new worker begins');
  bridge.signal('SIGHUP');
  await waitUntil(() => isDone(bridge), 'all were replaced');
  const statusesOf = async (client: BridgeClient): Promise<Set<number>> => {
    const replies = await Promise.all(Array.from({ length: 16 }, () => client.get(makeId())));
    return new Set(replies.map(({ status }) => status));
  };
  assert.deepEqual(await statusesOf(bridge.client), new Set([401]));
  const client = new BridgeClient(bridge.url, await makeToken({ secret: next }));
  assert.deepEqual(await statusesOf(client), new Set([404]));
});

test('after a worker has ended during a rolling restart there are as many as before', async () => {
  await using bridge = await start({ STOP_WAIT_MS: '2500' });
  const [, second = 0] = await workerPids(bridge);
  bridge.signal('SIGUSR2');
  await waitUntil(async () => (await workerPids(bridge)).length === 3, 'the first new worker begins');
  process.kill(second, 'SIGKILL');
  await waitUntil(() => isDone(bridge), 'all were replaced');
  const isSettled = (): boolean => bridge.log.some(({ msg }) => msg.startsWith('a worker ended by itself'));
  await waitUntil(isSettled, 'the death was noticed');
  const began = performance.now();
  // Longer than the pause before another one is started.
  await waitUntil(() => performance.now() - began > 2_000, 'nothing more comes');
  assert.equal((await workerPids(bridge)).length, 2);
});

/** A worker of this program says that it cannot begin. */
const BROKEN = `process.send({ kind: 'failed', message: 'as if it could not' }); setInterval(() => {}, 1000);`;

/** A copy of the program, and its text. */
async function copyProgram(name: string): Promise<{ main: string; good: string }> {
  const dist = fileURLToPath(new URL('../../packages/bridge/dist', import.meta.url));
  await cp(dist, join(folder, name, 'dist'), { recursive: true });
  await cp(join(dist, '../package.json'), join(folder, name, 'package.json'));
  const main = join(folder, name, 'dist', 'main.js');
  return { main, good: await readFile(main, 'utf8') };
}

const countDeaths = ({ log }: BridgeProcess): number =>
  log.filter(({ msg }) => msg.startsWith('a worker ended by itself')).length;

test('a worker in the place of another one that cannot begin to serve is started again until one does', async () => {
  const { main, good } = await copyProgram('again');
  await using bridge = await start({}, main);
  await writeFile(main, BROKEN);
  const [first = 0] = await workerPids(bridge);
  process.kill(first, 'SIGKILL');
  await waitUntil(() => countDeaths(bridge) >= 2, 'the one in its place is given up');
  await writeFile(main, good);
  await waitUntil(async () => {
    const overview = await (await bridge.admin('GET', '/admin/overview')).json();
    // As the page about the interface says.
    return (overview as { processes: number }).processes === 2;
  }, 'two serve again');
  assert.equal((await workerPids(bridge)).length, 2);
});

test('a bridge that ends does not wait for the next try to start a worker', async () => {
  const { main } = await copyProgram('end');
  await using bridge = await start({}, main);
  await writeFile(main, BROKEN);
  const [first = 0] = await workerPids(bridge);
  process.kill(first, 'SIGKILL');
  // The third pause is of four seconds.
  await waitUntil(() => countDeaths(bridge) >= 3, 'it is tried again and again');
  const began = performance.now();
  bridge.signal('SIGTERM');
  assert.equal(await bridge.ended, 0);
  const tookMs = performance.now() - began;
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
});
