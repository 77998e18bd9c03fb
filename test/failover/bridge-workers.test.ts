import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type BridgeProcess, type LogLine, startBridgeProcess } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

/** Where nothing is about a node that is late. */
const PATIENT = { NODE_TIMEOUT_MS: '5000' };

let nodes: Memcached[] = [];

before(async () => {
  nodes = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
});
afterEach(() => {
  for (const node of nodes) node.resume();
});
after(async () => {
  for (const node of nodes) await node.kill();
});

interface Overview {
  readonly processes: number;
  readonly crashes: number;
  readonly nodes: readonly { index: number; state: string; dissenters: number }[];
  readonly incidents: readonly { text: string }[];
}

async function overviewOf(bridge: BridgeProcess): Promise<Overview> {
  return (await (await bridge.admin('GET', '/admin/overview')).json()) as Overview;
}

async function metricOf(bridge: BridgeProcess, line: RegExp): Promise<number> {
  const text = await (await bridge.admin('GET', '/metrics')).text();
  return Number(line.exec(text)?.[1] ?? 0);
}

const GETS = /^memsession_operations_total\{operation="GET",status="404"\} (\d+)$/m;
const UP = /^memsession_node_state\{node="0",state="up"\} (\d+)$/m;

test('several workers share one port, and their metrics are summed', async () => {
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', ...PATIENT },
  });
  const seen = new Set<number>();
  await waitUntil(async () => {
    // Each connection goes to the next worker.
    const replies = await Promise.all(Array.from({ length: 8 }, () => bridge.client.get(makeId())));
    for (const { status } of replies) seen.add(status);
    return (await metricOf(bridge, GETS)) >= 16;
  }, 'both workers have counted');
  assert.deepEqual([...seen], [404]);
  assert.equal(await metricOf(bridge, /^memsession_processes (\d+)$/m), 2);
  assert.equal(await metricOf(bridge, UP), 2);
  const id = makeId();
  await bridge.client.put(id, { version: 1, base: null });
  const reads = await Promise.all(Array.from({ length: 8 }, () => bridge.client.get(id)));
  assert.deepEqual(new Set(reads.map(({ version }) => version)), new Set([1]));
});

test('a node that one worker finds down is down for all of them at once', async () => {
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '3', NODE_TIMEOUT_MS: '1000' },
  });
  const untilAllUseIt = (): Promise<void> =>
    waitUntil(async () => (await metricOf(bridge, UP)) === 3, 'all workers use node 0', 40_000);
  const countTold = async (): Promise<number> =>
    (await overviewOf(bridge)).incidents.filter(({ text }) => text.startsWith('Node 0 is down')).length;
  // On a busy machine a worker may have missed its first answer, and told so.
  await untilAllUseIt();
  const [logged, told] = [bridge.log.length, await countTold()];
  const [first] = nodes;
  await first?.stop();
  const downs = (): LogLine[] =>
    bridge.log.slice(logged).filter((line) => line['to'] === 'down' && line['node'] === 0);
  // One connection, so that one worker alone gets the evidence.
  while (downs().length === 0) await bridge.client.get(makeId([0]));
  await waitUntil(
    () => new Set(downs().map((line) => line['worker'])).size === 3,
    'all workers have node 0 down',
  );
  assert.ok(
    downs().some((line) => line['isHearsay'] === true),
    'they tell each other',
  );
  first?.resume();
  await untilAllUseIt();
  assert.equal(await countTold(), told + 1, 'what three workers see is told once');
});

test('a worker that dies is replaced, and what it counted stays counted', async () => {
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', ...PATIENT },
  });
  for (let i = 0; i < 10; i += 1) await bridge.client.get(makeId());
  await waitUntil(async () => (await metricOf(bridge, GETS)) === 10, 'ten are counted');
  const pids = await workerPids(bridge.pid);
  assert.equal(pids.length, 2);
  process.kill(pids[0] ?? 0, 'SIGKILL');
  await waitUntil(async () => (await overviewOf(bridge)).crashes === 1, 'the death was noticed');
  await waitUntil(async () => (await overviewOf(bridge)).processes === 2, 'there are two again', 10_000);
  assert.equal(await metricOf(bridge, GETS), 10);
  assert.equal((await bridge.client.get(makeId())).status, 404);
});

test('a rolling restart under load loses no request', async () => {
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', STOP_WAIT_MS: '2000', ...PATIENT },
  });
  const before = await workerPids(bridge.pid);
  const statuses = new Map<string, number>();
  const done = new AbortController();
  const load = async (): Promise<void> => {
    const id = makeId();
    let { version } = await bridge.client.put(id, { version: 1, base: null });
    while (!done.signal.aborted) {
      const saved = await bridge.client.put(id, { version: (version ?? 0) + 1, base: version ?? 0 });
      version = saved.version;
      const read = await bridge.client.get(id);
      for (const status of [saved.status, read.status])
        statuses.set(`${status}`, (statuses.get(`${status}`) ?? 0) + 1);
    }
  };
  const loads = Array.from({ length: 6 }, () =>
    load().catch((error: unknown) => statuses.set(String(error), 1)),
  );
  bridge.signal('SIGUSR2');
  await waitUntil(
    () => bridge.log.some(({ msg }) => msg === 'all workers were replaced'),
    'all were replaced',
    20_000,
  );
  done.abort();
  await Promise.all(loads);
  assert.deepEqual([...statuses.keys()], ['200']);
  assert.ok((statuses.get('200') ?? 0) > 100, 'there was load');
  const now = await workerPids(bridge.pid);
  assert.equal(now.filter((pid) => before.includes(pid)).length, 0);
});

test('what is counted never falls and never leaps while workers come and go', async () => {
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', STOP_WAIT_MS: '1500', ...PATIENT },
  });
  for (let i = 0; i < 200; i += 1) await bridge.client.get(makeId());
  await waitUntil(async () => (await metricOf(bridge, GETS)) === 200, 'all are counted');
  const seen = new Set<number>();
  const isDone = (msg: string): boolean => bridge.log.some((line) => line.msg === msg);
  bridge.signal('SIGUSR2');
  await waitUntil(async () => {
    seen.add(await metricOf(bridge, GETS));
    return isDone('all workers were replaced');
  }, 'all were replaced');
  const [pid = 0] = await workerPids(bridge.pid);
  // A worker that stands still does not answer, and goes on when it does.
  process.kill(pid, 'SIGSTOP');
  for (let i = 0; i < 3; i += 1) seen.add(await metricOf(bridge, GETS));
  process.kill(pid, 'SIGKILL');
  await waitUntil(async () => {
    seen.add(await metricOf(bridge, GETS));
    return (await overviewOf(bridge)).crashes === 1;
  }, 'the death was noticed');
  seen.add(await metricOf(bridge, GETS));
  assert.deepEqual([...seen], [200]);
});

test('when a new release cannot start, the old workers stay', async () => {
  const release = await mkdtemp(fileURLToPath(new URL('../../node_modules/.bridge-', import.meta.url)));
  const bridgeFolder = fileURLToPath(new URL('../../packages/bridge/', import.meta.url));
  await cp(join(bridgeFolder, 'dist'), join(release, 'dist'), { recursive: true });
  await cp(join(bridgeFolder, 'package.json'), join(release, 'package.json'));
  const main = join(release, 'dist', 'main.js');
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', ...PATIENT },
    main,
  });
  const before = await workerPids(bridge.pid);
  await writeFile(main, 'process.exit(1);');
  bridge.signal('SIGUSR2');
  const isTold = (): boolean =>
    bridge.log.some(({ msg }) => msg === 'a new worker does not serve, the old ones stay');
  await waitUntil(isTold, 'the failure was noticed');
  assert.deepEqual(await workerPids(bridge.pid), before);
  assert.equal((await bridge.client.get(makeId())).status, 404);
  assert.equal((await overviewOf(bridge)).crashes, 0);
  await rm(release, { recursive: true });
});

test('a terminal that interrupts the whole group ends it in order', async () => {
  await using bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    env: { WORKERS: '2', ...PATIENT },
  });
  const workers = await workerPids(bridge.pid);
  for (const pid of workers) process.kill(pid, 'SIGINT');
  bridge.signal('SIGINT');
  assert.equal(await bridge.ended, 0);
  assert.ok(bridge.log.some(({ msg }) => msg === 'stopped'));
  for (const pid of workers) assert.throws(() => process.kill(pid, 0));
});

/** The processes that were started by this one. */
async function workerPids(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.trim().split(/\s+/).filter(Boolean).map(Number);
}
