/** Plays the commands of docs/operations.md against real processes, as an operator would type them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { makeFolder } from '../support/packed.ts';
import { ADMIN_TOKEN, BridgeClient, makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

const LIMIT_MS = 30_000;
const page = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');
const main = new URL('../../packages/bridge/dist/main.js', import.meta.url).pathname;

/** The first shell commands after these words of the page. */
function commandsAfter(words: string): string {
  const at = page.indexOf(words);
  assert.ok(at >= 0, `docs/operations.md says "${words}"`);
  return /```sh\n(.*?)```/s.exec(page.slice(at))?.[1] ?? assert.fail(`${words}: no commands`);
}

let nodes: Memcached[] = [];

before(async () => {
  nodes = await Promise.all(Array.from({ length: 5 }, () => startMemcached()));
});
after(async () => {
  for (const node of nodes) await node.kill();
});

/** What the page calls 10.0.0.N is node N-1 here. */
function translate(commands: string): string {
  return commands.replaceAll(
    /10\.0\.0\.(\d):11211/g,
    (_, number: string) => `127.0.0.1:${nodes[Number(number) - 1]?.port ?? 0}`,
  );
}

/** A shell in a folder with the node list, in which "memsession-bridge" is the built one. */
function makeShell(folder: string): (commands: string, adminUrl?: string) => Promise<string> {
  const program = join(folder, 'memsession-bridge');
  writeFileSync(program, `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@" $ADMIN_URL_FLAG\n`);
  chmodSync(program, 0o755);
  return async (commands, adminUrl) => {
    // Rejects with what was printed when a command fails; nobody who waits is held up meanwhile.
    const { stdout } = await promisify(execFile)('/bin/sh', ['-ec', translate(commands)], {
      cwd: folder,
      env: {
        PATH: `${folder}:${process.env['PATH'] ?? ''}`,
        ADMIN_TOKEN,
        ADMIN_URL_FLAG: adminUrl === undefined ? '' : `--admin-url ${adminUrl}`,
      },
    });
    return stdout;
  };
}

interface NodeRow {
  readonly index: number;
  readonly address: string;
  readonly state: string;
  readonly isDraining: boolean;
}

interface Visitors {
  /** Resolves when every visitor has saved and read again. */
  comeAgain(): Promise<void>;
  /** Resolves with how often each status was answered; 0 is a request that failed. */
  stop(): Promise<Map<number, number>>;
}

/** Visitors who save and read all the time. */
function startVisitors({ client }: BridgeProcess): Visitors {
  const statuses = new Map<number, number>();
  const versions = Array.from({ length: 8 }, () => 0);
  const end = new AbortController();
  const visit = async (visitor: number): Promise<void> => {
    const id = makeId();
    for (let version = 1; !end.signal.aborted; version += 1) {
      const save = { version, base: version === 1 ? null : version - 1 };
      const saved = await client.put(id, save);
      const read = await client.get(id, version);
      for (const { status } of [saved, read]) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      versions[visitor] = version;
      await sleep(20);
    }
  };
  const visits = versions.map((_, visitor) => visit(visitor).catch(() => statuses.set(0, 1)));
  return {
    comeAgain: async () => {
      const before = [...versions];
      const isDone = (): boolean =>
        versions.every((version, visitor) => version > (before[visitor] ?? 0) + 1);
      await waitUntil(isDone, 'every visitor has come again', LIMIT_MS);
    },
    stop: async () => {
      end.abort();
      await Promise.all(visits);
      return statuses;
    },
  };
}

test('nodes are added, drained, removed and moved by the commands of the page, and no visitor notices', async () => {
  using folder = makeFolder('operations');
  const shell = makeShell(folder.path);
  await shell(commandsAfter('Write the list to a file').replaceAll(/^ {3}/gm, ''));
  await using bridge = await startBridgeProcess({
    // On a busy machine a healthy node may take longer than usual.
    env: { NODES_FILE: join(folder.path, 'nodes.txt'), NODE_TIMEOUT_MS: '2000' },
  });
  const visitors = startVisitors(bridge);
  const waitForNode = (index: number, isThere: (node: NodeRow) => boolean, what: string): Promise<void> =>
    waitUntil(
      async () => {
        // The shape of this answer.
        const { nodes: rows } = (await (await bridge.admin('GET', '/admin/nodes')).json()) as {
          readonly nodes: readonly NodeRow[];
        };
        const row = rows.find((node) => node.index === index);
        return row !== undefined && isThere(row);
      },
      what,
      LIMIT_MS,
    );

  await shell(commandsAfter('**Add one.**'), bridge.adminUrl);
  await waitForNode(3, ({ state }) => state === 'up', 'the new node is in use');
  await shell(commandsAfter('**Take one out.**'), bridge.adminUrl);
  await waitForNode(1, ({ isDraining }) => isDraining, 'node 1 is being drained');
  await visitors.comeAgain();
  await shell(commandsAfter('Then write `removed`'), bridge.adminUrl);
  await waitForNode(1, ({ state }) => state === 'removed', 'node 1 is removed');
  await nodes[1]?.kill();
  await nodes[2]?.kill();
  await shell(commandsAfter('**Move one'), bridge.adminUrl);
  const address = translate('10.0.0.5:11211');
  await waitForNode(2, (node) => node.address === address && node.state === 'up', 'node 2 has moved');
  await visitors.comeAgain();
  const statuses = await visitors.stop();
  assert.deepEqual(
    [...statuses.keys()].toSorted((a, b) => a - b),
    [200, 201],
  );
});

test('the bridge secret is replaced in the three steps of the page, without a refused visitor', async () => {
  using folder = makeFolder('secrets');
  const file = join(folder.path, 'apps.json');
  const next = 'the next bridge secret of at least 32 bytes';
  const write = (secrets: readonly string[]): void =>
    writeFileSync(file, JSON.stringify({ '*': { secrets } }));
  write([BRIDGE_SECRET]);
  await using bridge = await startBridgeProcess({
    nodes: [nodes[0]?.port ?? 0, nodes[3]?.port ?? 0],
    env: { APPS_FILE: file, BRIDGE_SECRET: '', NODE_TIMEOUT_MS: '2000' },
  });
  const id = makeId();
  const old = bridge.client;
  const renewed = new BridgeClient(bridge.url, await makeToken({ secret: next }));
  assert.equal((await old.put(id, { version: 1, base: null })).status, 201);
  assert.equal((await renewed.get(id)).status, 401);
  write([next, BRIDGE_SECRET]);
  await waitUntil(async () => (await renewed.get(id)).status === 200, 'the new secret is taken', LIMIT_MS);
  assert.equal((await old.get(id)).status, 200);
  write([next]);
  await waitUntil(async () => (await old.get(id)).status === 401, 'the old secret is refused', LIMIT_MS);
  assert.equal((await renewed.get(id)).status, 200);
});
