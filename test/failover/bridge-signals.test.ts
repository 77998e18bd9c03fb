import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { startBridgeProcess } from '../support/bridge-process.ts';
import { startFake } from '../support/fake-server.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { BridgeClient, makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: Memcached[] = [];
let folder = '';

before(async () => {
  nodes = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  folder = await mkdtemp(join(tmpdir(), 'memsession-'));
});
after(async () => {
  for (const node of nodes) await node.kill();
  await rm(folder, { recursive: true });
});

/** Nothing here is about a node that is late. */
const PATIENT = { NODE_TIMEOUT_MS: '5000' };

async function statusOf(url: string): Promise<[number, string] | null> {
  const response = await fetch(url).catch(() => null);
  return response === null ? null : [response.status, await response.text()];
}

test('after SIGTERM it is not ready but serves, then lets requests finish, and ends within its bounds', async () => {
  const env = { ...PATIENT, STOP_WAIT_MS: '4000', STOP_GRACE_MS: '1000' };
  await using bridge = await startBridgeProcess({ nodes: nodes.map(({ port }) => port), env });
  const id = makeId();
  await bridge.client.put(id, { version: 1, base: null });
  const { hostname, port } = new URL(bridge.url);
  // A request whose body never comes: it must not hold up the end.
  const stuck = connect(Number(port), hostname);
  await once(stuck, 'connect');
  const gone = once(stuck, 'close');
  stuck.on('error', () => {
    // A reset ends it as well.
  });
  const head = `PUT /v1/sessions/${makeId()} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer ${await makeToken()}\r\n`;
  stuck.write(
    `${head}Session-Version: 1\r\nIf-None-Match: *\r\nSession-TTL: 60\r\nContent-Length: 9\r\n\r\nx`,
  );
  const began = performance.now();
  bridge.signal('SIGTERM');
  await waitUntil(async () => (await statusOf(`${bridge.url}/readyz`))?.[0] === 503, 'it is not ready');
  assert.deepEqual(await statusOf(`${bridge.url}/readyz`), [
    503,
    '{"status":"not ready","reason":"stopping"}',
  ]);
  assert.equal((await statusOf(`${bridge.url}/healthz`))?.[0], 200);
  const read = await bridge.client.get(id);
  assert.deepEqual([read.status, read.headers.get('connection')], [200, 'close']);
  assert.equal(await bridge.ended, 0);
  await gone;
  const tookMs = performance.now() - began;
  assert.ok(tookMs >= 4_000 && tookMs < 20_000, `${tookMs} ms`);
  assert.equal(await statusOf(`${bridge.url}/healthz`), null, 'nobody listens');
});

for (const workers of [1, 2]) {
  test(`SIGHUP puts new nodes and new secrets in force at once, with WORKERS=${workers}`, async () => {
    const nodesFile = join(folder, `nodes-${workers}`);
    const appsFile = join(folder, `apps-${workers}`);
    const next = 'the next secret of the shop with over 32 bytes';
    const [a, b, c] = nodes.map(({ port }) => `127.0.0.1:${port}`);
    await writeFile(nodesFile, `${a}\n${b}\n`);
    await writeFile(appsFile, JSON.stringify({ shop: { secrets: [BRIDGE_SECRET] } }));
    const env = {
      ...PATIENT,
      BRIDGE_SECRET: '',
      WORKERS: `${workers}`,
      NODES_FILE: nodesFile,
      APPS_FILE: appsFile,
    };
    await using bridge = await startBridgeProcess({ env });
    assert.equal((await bridge.client.get(makeId())).status, 404);
    await writeFile(nodesFile, `${a} drain\n${b}\n${c}\n`);
    await writeFile(appsFile, JSON.stringify({ shop: { secrets: [next] } }));
    bridge.signal('SIGHUP');
    const states = async (): Promise<string[]> => {
      const { nodes: list } = (await (await bridge.admin('GET', '/admin/nodes')).json()) as {
        nodes: { state: string; isDraining: boolean; dissenters: number }[];
      };
      return list.map(({ state, isDraining, dissenters }) => `${state} ${isDraining} ${dissenters}`);
    };
    await waitUntil(
      async () => (await states()).join() === 'up true 0,up false 0,up false 0',
      'every worker has the new list',
    );
    const old = await Promise.all(Array.from({ length: 8 }, () => bridge.client.get(makeId())));
    assert.deepEqual(new Set(old.map(({ status }) => status)), new Set([401]));
    const client = new BridgeClient(bridge.url, await makeToken({ secret: next }));
    const now = await Promise.all(Array.from({ length: 8 }, () => client.get(makeId())));
    assert.deepEqual(new Set(now.map(({ status }) => status)), new Set([404]));
    await writeFile(nodesFile, `${b}\n${a}\n`);
    bridge.signal('SIGHUP');
    await waitUntil(
      () =>
        bridge.log.some(({ msg }) => msg === 'the node list is not valid, the last good one stays in force'),
      'it is told',
    );
    assert.equal((await states()).length, 3);
    await waitUntil(
      async () => (await statusOf(`${bridge.url}/readyz`))?.[1].includes('node_list_invalid') === true,
      'readiness tells it as a warning',
    );
  });
}

test('a port that is taken ends the start, however many workers there are', async () => {
  await using first = await startBridgeProcess({ nodes: nodes.map(({ port }) => port), env: PATIENT });
  const port = new URL(first.url).port;
  for (const workers of ['1', '2']) {
    const second = startBridgeProcess({
      nodes: nodes.map((node) => node.port),
      env: { ...PATIENT, PORT: port, WORKERS: workers },
    });
    await assert.rejects(second, /ended with 1/);
  }
});

for (const workers of ['1', '2']) {
  test(`signals that come while it starts are heard when it has started, with WORKERS=${workers}`, async () => {
    const asked = join(folder, `asked-${workers}`);
    await using hung = await startFake(() => writeFileSync(asked, ''));
    const ports = [...nodes.slice(0, 2), hung].map(({ port }) => port);
    // The signals come while it waits for the first answer of the node that hangs.
    const send = 'for signal in HUP USR2 TERM; do sleep 0.1; kill -$signal $$; done';
    const wait = `until [ -e "${asked}" ] || ! kill -0 $$; do sleep 0.1; done`;
    const below = ['sh', '-c', `(${wait}; ${send}) & exec "$@"`, 'sh'];
    const env = { NODE_TIMEOUT_MS: '4000', WORKERS: workers };
    await using bridge = await startBridgeProcess({ nodes: ports, env, below });
    assert.equal(await bridge.ended, 0);
    const told = bridge.log.map(({ msg }) => msg);
    assert.deepEqual(
      told.filter((msg) => ['listening', 'stopping', 'stopped'].includes(msg)),
      ['listening', 'stopping', 'stopped'],
    );
  });
}
