import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeToken } from '../support/app.ts';
import { startBalancer } from '../support/balancer.ts';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { BridgeClient, makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: Memcached[] = [];

before(async () => {
  nodes = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
});
after(async () => {
  for (const node of nodes) await node.kill();
});

function start(port = '0'): Promise<BridgeProcess> {
  return startBridgeProcess({
    nodes: nodes.map((node) => node.port),
    // Nothing here is about a node that is late; the balancer has some seconds to notice.
    env: { PORT: port, NODE_TIMEOUT_MS: '5000', STOP_WAIT_MS: '3000' },
  });
}

/** Saves and reads until it is told to stop, and counts what came back. */
async function work(client: BridgeClient, seen: Map<string, number>, stop: AbortSignal): Promise<number> {
  const id = makeId();
  let version = 1;
  const note = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);
  note(String((await client.put(id, { version, base: null })).status));
  while (!stop.aborted) {
    const saved = await client.put(id, { version: version + 1, base: version });
    version = saved.version ?? version;
    const read = await client.get(id, version);
    note(`${saved.status} ${saved.headers.get('x-why') ?? ''}`.trim());
    note(`${read.status} ${read.headers.get('x-why') ?? ''}`.trim());
    assert.equal(read.text, `record ${version}`);
  }
  return version;
}

test('two bridges behind a balancer are restarted one after the other, and no request is lost', async () => {
  const bridges = [await start(), await start()];
  const stop = new AbortController();
  try {
    const urls = bridges.map(({ url }) => url);
    await using balancer = await startBalancer(urls);
    await waitUntil(() => balancer.ready.size === 2, 'both are ready');
    const client = new BridgeClient(balancer.url, await makeToken());
    const seen = new Map<string, number>();
    const working = Promise.all(Array.from({ length: 8 }, () => work(client, seen, stop.signal)));
    for (const [index, url] of urls.entries()) {
      const old = bridges[index];
      const before = seen.get('200') ?? 0;
      old?.signal('SIGTERM');
      assert.equal(await old?.ended, 0);
      assert.deepEqual([...balancer.ready], [urls[1 - index]], 'the balancer noticed in time');
      bridges[index] = await start(new URL(url).port);
      await waitUntil(() => balancer.ready.size === 2, 'it is back');
      assert.ok((seen.get('200') ?? 0) > before + 20, 'there was work all the time');
    }
    stop.abort();
    const versions = await working;
    assert.deepEqual(new Set(seen.keys()), new Set(['200', '201']));
    assert.ok(versions.every((version) => version > 1));
  } finally {
    stop.abort();
    for (const bridge of bridges) await bridge[Symbol.asyncDispose]();
  }
});
