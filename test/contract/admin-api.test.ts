import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { askAdmin } from '../support/bridge-process.ts';
import { startEmbeddedNode, type EmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { sendRaw } from '../support/raw-http.ts';
import { ADMIN_TOKEN, makeId, type RunningBridge, startBridge } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: EmbeddedNode[] = [];
let folder = '';

before(async () => {
  nodes = await Promise.all(Array.from({ length: 4 }, () => startEmbeddedNode()));
  folder = await mkdtemp(join(tmpdir(), 'memsession-'));
});
after(async () => {
  for (const node of nodes) await node.close();
  await rm(folder, { recursive: true });
});

const ports = (count = 3): number[] => nodes.slice(0, count).map(({ port }) => port);

function start(overrides: Parameters<typeof startBridge>[1] = {}): Promise<RunningBridge> {
  // Generous: nothing here is about a node that is late.
  return startBridge(ports(), { adminTokens: [ADMIN_TOKEN], nodeTimeoutMs: 5_000, ...overrides });
}

interface Answer {
  readonly lines?: string[];
  readonly toKeep?: string;
  readonly shouldRead?: string[];
  readonly error?: { code: string; message: string };
  readonly nodes?: { index: number; state: string; isDraining: boolean; servedLastMinute: number }[];
}

async function ask(
  bridge: RunningBridge,
  method: string,
  path: string,
  body?: unknown,
): Promise<[number, Answer]> {
  const response = await askAdmin(bridge.adminUrl ?? '', { method, path, body });
  return [response.status, (await response.json()) as Answer];
}

test('without an admin token there is no listener', async () => {
  await using bridge = await startBridge(ports());
  assert.equal(bridge.adminUrl, null);
});

test('nothing is told or done without the token', async () => {
  await using bridge = await start();
  const attempts: [string, string][] = [
    ['GET', '/admin/overview'],
    ['GET', '/admin/nodes'],
    ['PUT', '/admin/nodes'],
    ['POST', '/admin/nodes/0/drain'],
    ['GET', `/admin/route?ref=${makeId()}`],
    ['GET', '/metrics'],
    ['GET', '/dashboard/api/nodes'],
    ['GET', '/dashboard/events'],
    ['POST', '/dashboard/api/nodes/0/drain'],
    ['GET', '/admin/nothing'],
  ];
  for (const authorization of ['', `Basic ${ADMIN_TOKEN}`, 'Bearer nonsense', `Bearer ${ADMIN_TOKEN}x`]) {
    for (const [method, path] of attempts) {
      const response = await fetch(`${bridge.adminUrl}${path}`, {
        method,
        headers: { authorization, 'sec-fetch-site': 'same-origin' },
        redirect: 'manual',
      });
      assert.equal(response.status, 401, `${authorization} ${method} ${path}`);
      await response.body?.cancel();
    }
  }
  // Spelt otherwise there is nothing, whoever asks.
  for (const path of ['/admin//nodes/0/drain', '/admin/%6eodes/0/drain', '/dashboard/%2e%2e/admin/nodes'])
    for (const authorization of ['', `Bearer ${ADMIN_TOKEN}`]) {
      const request = `POST ${path} HTTP/1.1\r\nHost: bridge\r\nAuthorization: ${authorization}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      assert.deepEqual((await sendRaw(bridge.adminUrl ?? '', request)).statuses, [404], path);
    }
  assert.deepEqual(
    bridge.cluster.status().map(({ isDraining }) => isDraining),
    [false, false, false],
  );
});

test('a token of the data API opens nothing here, and none of this is on the data listener', async () => {
  await using bridge = await start();
  for (const path of ['/admin/nodes', '/metrics', '/dashboard', '/v1/%2e%2e/admin/nodes', '/v1/../metrics']) {
    const response = await fetch(`${bridge.url}${path}`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    assert.ok([401, 404].includes(response.status), `${path} ${response.status}`);
  }
});

test('a node is drained, used again, and removed when it is drained', async () => {
  await using bridge = await start();
  const id = makeId([0, 1, 2]);
  await bridge.client.put(id, { version: 1, base: null });
  const [status, drained] = await ask(bridge, 'POST', '/admin/nodes/0/drain');
  assert.equal(status, 200);
  assert.match(drained.lines?.[0] ?? '', / drain$/);
  assert.match(drained.toKeep ?? '', /MEMCACHED_NODES="127\.0\.0\.1:\d+ drain,/);
  assert.equal((await bridge.client.get(`${id}.0`)).home, 1, 'its sessions move away');
  assert.equal((await ask(bridge, 'POST', '/admin/nodes/0/activate'))[0], 200);
  await waitUntil(() => bridge.cluster.status()[0]?.state === 'up', 'it is back');

  const [refused, why] = await ask(bridge, 'POST', '/admin/nodes/0/remove');
  assert.deepEqual([refused, why.error?.code], [409, 'not_drained']);
  await ask(bridge, 'POST', '/admin/nodes/0/drain');
  const [, removed] = await ask(bridge, 'POST', '/admin/nodes/0/remove');
  assert.equal(removed.lines?.[0], 'removed');
  assert.equal(bridge.cluster.status()[0]?.state, 'removed');
  for (const action of ['drain', 'activate', 'remove']) {
    const [gone, answer] = await ask(bridge, 'POST', `/admin/nodes/0/${action}`);
    assert.deepEqual([gone, answer.error?.code], [404, 'no_such_node'], action);
  }
  assert.equal((await ask(bridge, 'POST', '/admin/nodes/7/drain'))[0], 404);
  assert.equal((await bridge.client.get(`${id}.0`)).text, 'record 1');
});

test('a node that is lost anyway may be removed by force', async () => {
  await using bridge = await start();
  assert.equal((await ask(bridge, 'POST', '/admin/nodes/1/remove', { force: true }))[0], 200);
  assert.equal(bridge.cluster.status()[1]?.state, 'removed');
});

test('answers that a drained node still gives are counted until none are left', async () => {
  await using bridge = await start({ copies: 1 });
  const ids = Array.from({ length: 5 }, () => makeId([2]));
  for (const id of ids) await bridge.client.put(id, { version: 1, base: null });
  await ask(bridge, 'POST', '/admin/nodes/2/drain');
  const landed = async (): Promise<number> =>
    (await ask(bridge, 'GET', '/admin/nodes'))[1].nodes?.[2]?.servedLastMinute ?? 0;
  const before = await landed();
  for (const id of ids) assert.equal((await bridge.client.get(`${id}.2`)).status, 200);
  await waitUntil(async () => (await landed()) >= before + 5, 'the five landed there');
  const then = await landed();
  for (const id of ids) assert.equal((await bridge.client.get(`${id}.2`)).status, 200);
  const [, { nodes: after }] = await ask(bridge, 'GET', '/admin/nodes');
  assert.ok((after?.[2]?.servedLastMinute ?? 0) <= then, 'they have moved and land there no more');
});

test('a list that would renumber nodes is refused and changes nothing', async () => {
  await using bridge = await start({ nodeNetworks: ['127.0.0.0/8'] });
  const [a, b, c] = ports().map((port) => `127.0.0.1:${port}`);
  const wrong = [
    [b, a, c],
    [a, b],
    [a, c, b],
    [a, b, c, a],
    ['removed', 'removed', 'removed'],
    [a, b, 'x y z'],
  ];
  for (const list of wrong) {
    const [status, { error }] = await ask(bridge, 'PUT', '/admin/nodes', { nodes: list });
    assert.deepEqual([status, error?.code], [409, 'refused'], list.join());
  }
  for (const body of [{}, { nodes: [] }, { nodes: 'a' }, { nodes: [1] }, [a, b, c]])
    assert.equal((await ask(bridge, 'PUT', '/admin/nodes', body))[0], 400);
  assert.equal(bridge.cluster.epoch, 1);
  const next = [a, b, c, `127.0.0.1:${nodes[3]?.port}`];
  assert.equal((await ask(bridge, 'PUT', '/admin/nodes', { nodes: next }))[0], 200);
  await waitUntil(() => bridge.cluster.status()[3]?.state === 'up', 'the fourth node is used');
});

test('an address outside the allowed networks is refused before a packet is sent', async () => {
  let connections = 0;
  const trap = await startEmbeddedNode();
  await using bridge = await start({ nodeNetworks: ['10.0.0.0/8'] });
  const loopback = [
    `127.0.0.1:${trap.port}`,
    `localhost:${trap.port}`,
    `2130706433:${trap.port}`,
    `127.1:${trap.port}`,
  ];
  const others = [
    `[::1]:${trap.port}`,
    `[::ffff:127.0.0.1]:${trap.port}`,
    '169.254.169.254:80',
    'no.such.name.invalid:1',
  ];
  const bridges = [new URL(bridge.url).host, new URL(bridge.adminUrl ?? '').host];
  for (const address of [...loopback, ...others, ...bridges]) {
    const [status, { error }] = await ask(bridge, 'POST', '/admin/nodes', { address });
    assert.deepEqual([status, error?.code], [403, 'address_not_allowed'], address);
    assert.ok(!(error?.message ?? '').includes(address.split(':')[0] ?? '-'), 'the address is not repeated');
    connections += trap.connections;
  }
  assert.equal(connections, 0);
  assert.equal(bridge.cluster.list.length, 3);
  await trap.close();
});

test('a body without an end is refused as soon as it is too large', async () => {
  await using bridge = await start();
  const request =
    `PUT /admin/nodes HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer ${ADMIN_TOKEN}\r\n` +
    `Transfer-Encoding: chunked\r\n\r\n50000\r\n${' '.repeat(0x5_0000)}\r\n`;
  const { statuses, tookMs } = await sendRaw(bridge.adminUrl ?? '', request, 9_000);
  assert.deepEqual(statuses, [400]);
  assert.ok(tookMs < 9_500, `${tookMs} ms`);
});

test('an addition is one address, and each entry of a list one node', async () => {
  await using bridge = await start({ nodeNetworks: ['127.0.0.0/8', '10.0.0.0/8'] });
  for (const address of ['removed', '# none', '', 'a b', '10.0.0.1:1\n10.0.0.2:2', '10.0.0.1:1 drain']) {
    const [status, answer] = await ask(bridge, 'POST', '/admin/nodes', { address });
    assert.deepEqual([status, answer.error?.code], [409, 'refused'], JSON.stringify(address));
  }
  const { lines = [] } = (await ask(bridge, 'GET', '/admin/nodes'))[1];
  for (const extra of ['', '# none', '10.0.0.1:1\n10.0.0.2:2']) {
    const [status] = await ask(bridge, 'PUT', '/admin/nodes', { nodes: [...lines, extra] });
    assert.equal(status, 409, JSON.stringify(extra));
  }
  assert.equal(bridge.cluster.status().length, lines.length);
});

test('without allowed networks no address may be added, and the fix is named', async () => {
  await using bridge = await start();
  const [status, { error }] = await ask(bridge, 'POST', '/admin/nodes', { address: '10.0.0.9:11211' });
  assert.equal(status, 403);
  assert.match(error?.message ?? '', /NODE_NETWORKS/);
});

test('a list from a file is changed in the file: the answer says how it should read', async () => {
  const path = join(folder, 'nodes');
  const list = ports().map((port) => `127.0.0.1:${port}`);
  await writeFile(path, list.join('\n'));
  await using bridge = await start({ nodesFile: path });
  const [status, { error, shouldRead }] = await ask(bridge, 'POST', '/admin/nodes/1/drain');
  assert.deepEqual([status, error?.code], [409, 'source_is_file']);
  assert.deepEqual(shouldRead, [list[0], `${list[1]} drain`, list[2]]);
  assert.equal(bridge.cluster.status()[1]?.isDraining, false);
  await writeFile(path, (shouldRead ?? []).join('\n'));
  await waitUntil(() => bridge.cluster.status()[1]?.isDraining === true, 'the file is read');

  await writeFile(path, 'nonsense nonsense');
  await waitUntil(
    async () => (await (await fetch(`${bridge.url}/readyz`)).text()).includes('node_list_invalid'),
    'the problem is told',
  );
  assert.equal(bridge.cluster.status().length, 3, 'the last good list stays');
  const overview = async (): Promise<string> =>
    (await askAdmin(bridge.adminUrl ?? '', { method: 'GET', path: '/admin/overview' })).text();
  await waitUntil(async () => (await overview()).includes('line 1'), 'the overview says where', 10_000);
});

test('the route of a session is explained without its record', async () => {
  await using bridge = await start();
  const id = makeId([1, 2, 0]);
  const route = async (
    ref: string,
  ): Promise<{ text: string; because: string[]; steps: { role: string; answer: { kind: string } }[] }> => {
    const response = await askAdmin(bridge.adminUrl ?? '', {
      method: 'GET',
      path: `/admin/route?app=shop&ref=${ref}`,
    });
    const text = await response.text();
    return { text, ...(JSON.parse(text) as { because: string[]; steps: [] }) };
  };
  const absent = await route(id);
  assert.deepEqual(
    absent.steps.map(({ role, answer }) => [role, answer.kind]),
    [
      ['anchor', 'nothing'],
      ['copy', 'nothing'],
      ['spare', 'nothing'],
    ],
  );
  await bridge.client.put(id, { version: 1, base: null, text: 'a secret record' });
  const stored = await route(`${id}.0`);
  assert.deepEqual(
    stored.steps.map(({ answer }) => answer.kind),
    ['record', 'record', 'nothing'],
  );
  assert.match(stored.because.join(' '), /next ref will name node 1/);
  assert.ok(!stored.text.includes('secret record') && !stored.text.includes(id));
  await bridge.client.delete(id);
  assert.match((await route(id)).because.join(' '), /destroyed/);
  for (const query of ['', '?ref=nonsense', `?ref=${id}&app=A:B`])
    assert.equal((await ask(bridge, 'GET', `/admin/route${query}`))[0], 400);
});

test('an unknown path says so, whoever asks', async () => {
  await using bridge = await start();
  assert.equal((await ask(bridge, 'GET', '/admin/nothing'))[1].error?.code, 'no_route');
  assert.equal((await ask(bridge, 'DELETE', '/admin/nodes'))[0], 404);
  assert.equal((await fetch(`${bridge.adminUrl}/assets/..%2f..%2fpackage.json`)).status, 404);
  assert.equal((await fetch(`${bridge.adminUrl}/healthz`)).status, 200);
});
