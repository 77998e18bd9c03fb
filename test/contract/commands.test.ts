import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parseCommand } from '../../packages/bridge/src/command-line.ts';
import { findFreePort } from '../../examples/start/ports.ts';
import { type EmbeddedNode, startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { formatTable } from '../../packages/bridge/src/remote.ts';
import { BRIDGE_SECRET } from '../support/app.ts';
import { runBridgeCommand } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { makeFolder } from '../support/packed.ts';
import { ADMIN_TOKEN, makeId, type RunningBridge, startBridge } from '../support/service.ts';

let nodes: EmbeddedNode[] = [];
let memcached: Memcached;
let bridge: RunningBridge;

before(async () => {
  nodes = await Promise.all(Array.from({ length: 3 }, () => startEmbeddedNode()));
  memcached = await startMemcached();
  bridge = await startBridge(
    nodes.map(({ port }) => port),
    { adminTokens: [ADMIN_TOKEN], nodeTimeoutMs: 5_000 },
  );
});
after(async () => {
  await bridge[Symbol.asyncDispose]();
  for (const node of nodes) await node.close();
  await memcached.kill();
});

function run(...args: string[]): ReturnType<typeof runBridgeCommand> {
  return runBridgeCommand([...args, '--admin-url', bridge.adminUrl ?? ''], { ADMIN_TOKEN });
}

const address = (index: number): string => `127.0.0.1:${nodes[index]?.port}`;

test('nodes lists every node in words, and with --json for programs', async () => {
  const { code, stdout, stderr } = await run('nodes');
  assert.deepEqual([code, stderr], [0, '']);
  const lines = stdout.trim().split('\n');
  assert.match(lines[0] ?? '', /^NODE +ADDRESS +STATE +MEMORY +ITEMS +EVICTIONS +ANSWERS\/MIN +WHY$/);
  assert.match(lines[2] ?? '', new RegExp(`^1 +${address(1)} +up `));
  assert.equal(lines.length, 4);
  const json = JSON.parse((await run('nodes', '--json')).stdout) as { nodes: { state: string }[] };
  assert.deepEqual(
    json.nodes.map(({ state }) => state),
    ['up', 'up', 'up'],
  );
});

test('drain, activate and remove change the list and say how to keep it so', async () => {
  const drained = await run('drain', '2');
  assert.equal(drained.code, 0);
  assert.match(drained.stdout, new RegExp(`2 +${address(2)} drain`));
  assert.match(drained.stdout, /MEMCACHED_NODES=/);
  assert.equal(bridge.cluster.status()[2]?.isDraining, true);
  assert.equal((await run('activate', '2')).code, 0);
  assert.equal(bridge.cluster.status()[2]?.isDraining, false);
  const early = await run('remove', '2');
  assert.deepEqual([early.code, early.stdout], [1, '']);
  assert.match(early.stderr, /Drain node 2/);
  const refused = await run('remove', '2', '--json');
  assert.equal(refused.code, 1);
  assert.equal((JSON.parse(refused.stdout) as { error: { code: string } }).error.code, 'not_drained');
  assert.equal((await run('drain', '9')).code, 1);
});

test('inspect tells where a session is looked for, and never its id or its record', async () => {
  const id = makeId([1, 2, 0]);
  await bridge.client.put(id, { version: 4, base: null, text: 'a secret record' });
  const { code, stdout } = await run('inspect', `${id}.0`, '--app', 'shop');
  assert.equal(code, 0);
  const [head = '', anchor = '', copy = ''] = stdout.split('\n');
  assert.match(head, /^NODE +ADDRESS +STATE +ROLE +ANSWER$/);
  assert.match(anchor, /^1 .* anchor +record, version 4/);
  assert.match(copy, /^2 .* copy +record, version 4/);
  const json = await run('inspect', id, '--app', 'shop', '--json');
  assert.deepEqual(
    (JSON.parse(json.stdout) as { steps: { index: number }[] }).steps.map(({ index }) => index),
    [1, 2, 0],
  );
  for (const text of [stdout, json.stdout]) assert.ok(!text.includes(id) && !text.includes('secret'));
  assert.equal((await run('inspect', 'nonsense')).code, 1);
});

test('check tells what is wrong with the configuration, and how the nodes were started', async () => {
  const env = { BRIDGE_SECRET, MEMCACHED_NODES: `127.0.0.1:${memcached.port},127.0.0.1:1` };
  const down = await runBridgeCommand(['check'], env);
  assert.equal(down.code, 1, 'one node does not answer');
  assert.match(down.stdout, /The configuration is valid\./);
  assert.match(down.stdout, new RegExp(`^0 +127\\.0\\.0\\.1:${memcached.port} +answers +1\\.`, 'm'));
  assert.match(down.stdout, /^1 +127\.0\.0\.1:1 +refused/m);
  const up = await runBridgeCommand(['check', '--json'], {
    ...env,
    MEMCACHED_NODES: `127.0.0.1:${memcached.port}`,
  });
  assert.deepEqual([up.code, (JSON.parse(up.stdout) as { ok: boolean }).ok], [0, true]);
  const wrong = await runBridgeCommand(['check', '--json'], { PORT: 'x' });
  assert.equal(wrong.code, 1);
  const { problems } = JSON.parse(wrong.stdout) as { problems: string[] };
  for (const setting of ['MEMCACHED_NODES', 'BRIDGE_SECRET', 'PORT'])
    assert.ok(
      problems.some((problem) => problem.startsWith(setting)),
      setting,
    );
});

test('a node that was started carelessly is warned about by check', async () => {
  const port = await findFreePort();
  await using careless = await startMemcached({ port, flags: ['-B', 'auto', '-U', String(port)] });
  const { stdout } = await runBridgeCommand(['check'], {
    BRIDGE_SECRET,
    MEMCACHED_NODES: `127.0.0.1:${careless.port}`,
  });
  for (const fix of ['-B binary', '-U 0', '-M'])
    assert.match(stdout, new RegExp(`^Node 0: .*start it with ${fix}\\.$`, 'm'));
});

test('who has no token, the wrong one, or asks where no bridge is, is told what to do', async () => {
  const url = bridge.adminUrl ?? '';
  const none = await runBridgeCommand(['nodes', '--admin-url', url]);
  assert.deepEqual([none.code, none.stdout], [1, '']);
  assert.match(none.stderr, /^ADMIN_TOKEN: /);
  using folder = makeFolder('admin-token');
  const file = join(folder.path, 'token');
  writeFileSync(file, `${ADMIN_TOKEN},the one before it, of at least 32 bytes\n`);
  // An empty text counts as not given, as for the bridge itself.
  const env = { ADMIN_TOKEN: '', ADMIN_TOKEN_FILE: file };
  assert.equal((await runBridgeCommand(['nodes', '--admin-url', url], env)).code, 0);
  const wrong = await runBridgeCommand(['nodes', '--admin-url', url], { ADMIN_TOKEN: 'another token' });
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /^ADMIN_TOKEN: /);
  assert.ok(!wrong.stderr.includes('another token'));
  const nowhere = await runBridgeCommand(['nodes', '--admin-url', 'http://127.0.0.1:1'], { ADMIN_TOKEN });
  assert.equal(nowhere.code, 1);
  assert.match(nowhere.stderr, /No bridge answers/);
  const data = await runBridgeCommand(['nodes', '--admin-url', bridge.url], { ADMIN_TOKEN });
  assert.equal(data.code, 1);
  assert.match(data.stderr, /--admin-url/);
});

test('help, version and the checks of serve need no bridge', async () => {
  const help = await runBridgeCommand(['--help']);
  assert.equal(help.code, 0);
  for (const word of [
    'serve',
    'nodes',
    'drain',
    'activate',
    'remove',
    '--force',
    'inspect',
    'check',
    '--json',
    '--admin-url',
  ])
    assert.ok(help.stdout.includes(word), word);
  assert.match((await runBridgeCommand(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  const env = { BRIDGE_SECRET, MEMCACHED_NODES: '127.0.0.1:1' };
  assert.deepEqual((await runBridgeCommand(['serve', '--check'], env)).code, 0);
  const printed = await runBridgeCommand(['--print-config'], env);
  assert.ok(!printed.stdout.includes(BRIDGE_SECRET));
  assert.equal((await runBridgeCommand(['--check'], { BRIDGE_SECRET })).code, 1);
});

test('a port that is taken is named with its setting in one line', async () => {
  const taken = String(nodes[0]?.port);
  const env = { BRIDGE_SECRET, EMBEDDED: '1', HOST: '127.0.0.1', ADMIN_TOKEN };
  const data = await runBridgeCommand(['--port', taken, '--admin-port', '0'], env);
  assert.deepEqual([data.code, data.stderr.trim().split('\n').length], [1, 1]);
  assert.match(data.stderr, new RegExp(`PORT \\(--port\\).*${taken}`));
  const admin = await runBridgeCommand(['--port', '0', '--admin-port', taken], env);
  assert.equal(admin.code, 1);
  assert.match(admin.stderr, new RegExp(`ADMIN_PORT \\(--admin-port\\).*${taken}`));
  const worker = await runBridgeCommand(['--port', taken, '--workers', '2'], env);
  assert.equal(worker.code, 1);
  assert.match(worker.stderr, /PORT \(--port\)/);
});

test('an address that is not of this machine is named with its setting', async () => {
  const env = { BRIDGE_SECRET, EMBEDDED: '1', HOST: '127.0.0.1', PORT: '0', ADMIN_PORT: '0', ADMIN_TOKEN };
  // Of a network that is kept for examples, so that no machine has it.
  for (const wrong of ['192.0.2.1', 'not a host']) {
    for (const workers of ['1', '2']) {
      const data = await runBridgeCommand(['--host', wrong, '--workers', workers], env);
      assert.deepEqual([data.code, data.stderr.trim().split('\n').length], [1, 1]);
      assert.match(data.stderr, /HOST \(--host\): .*no address of this machine/);
    }
    const admin = await runBridgeCommand(['--admin-host', wrong], env);
    assert.equal(admin.code, 1);
    assert.match(admin.stderr, /ADMIN_HOST \(--admin-host\): /);
  }
});

test('what is no command, or has the wrong arguments, is refused by its name', () => {
  const wrong = [
    'start',
    'nodes 1',
    'drain',
    'drain x',
    'drain 1 2',
    'drain 12345',
    'inspect',
    'nodes --jsn',
    'nodes --admin-url x',
    'nodes --admin-url localhost:4781',
  ];
  for (const line of wrong) assert.equal(parseCommand(line.split(' ')).kind, 'wrong', line);
  assert.deepEqual(parseCommand([]), { kind: 'serve', args: [], isJson: false });
  assert.deepEqual(parseCommand(['--port', '1']), { kind: 'serve', args: ['--port', '1'], isJson: false });
  assert.deepEqual(parseCommand(['check', '--json', '--port', '1']), {
    kind: 'check',
    args: ['--port', '1'],
    isJson: true,
  });
  assert.deepEqual(parseCommand(['remove', '3', '--force']), {
    kind: 'remote',
    command: { kind: 'remove', index: 3, isForced: true },
    adminUrl: 'http://127.0.0.1:4781',
    isJson: false,
  });
});

test('columns are as wide as their widest cell', () => {
  assert.equal(
    formatTable([
      ['A', 'B'],
      ['long', ''],
      ['x', 'y'],
    ]),
    'A     B\nlong\nx     y',
  );
});
