/** Settings that reach further than the place at which they are read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeToken } from '../support/app.ts';
import { openNode, startEmbedded } from '../support/nodes.ts';
import { makeId, startBridge } from '../support/service.ts';

test('a record over the limit of one bridge that another has stored is read and copied, and harms no node', async () => {
  await using first = await startEmbedded();
  await using second = await startEmbedded();
  // Nothing here is about a node that is late.
  const nodeTimeoutMs = 5_000;
  await using node = openNode(second.it, { timeoutMs: nodeTimeoutMs });
  const ports = [first.it.port, second.it.port];
  await using large = await startBridge(ports, { maxRecordBytes: 100_000, nodeTimeoutMs });
  await using small = await startBridge(ports, { maxRecordBytes: 1_024, nodeTimeoutMs });
  // Beyond the limit by less, and by more, than what an answer has beside a record.
  for (const size of [3_000, 50_000]) {
    const id = makeId();
    const text = 'x'.repeat(size);
    assert.equal((await large.client.put(id, { version: 1, base: null, text })).status, 201);
    for (let round = 0; round < 5; round += 1) {
      const { status, text: read } = await small.client.get(id);
      assert.deepEqual({ status, bytes: read.length }, { status: 200, bytes: size });
    }
    assert.equal((await small.client.put(id, { version: 2, base: 1, text })).status, 413);
    await node.it.delete(`shop:${id}`);
    assert.equal((await small.client.get(id)).status, 200, `one copy of ${size} bytes is lost`);
    assert.equal((await node.it.gets(`shop:${id}`))?.value.length, size, 'and stored again');
  }
  const states = small.cluster.status().map(({ state }) => state);
  assert.ok(!states.includes('suspected'), states.join());
});

test('as many operations may be under way as the setting says, also at one node', async () => {
  await using slow = await startEmbedded({ fault: { kind: 'delay', delayMs: 300 } });
  await using bridge = await startBridge([slow.it.port], {
    maxInFlight: 1_500,
    appMaxInFlight: 1_500,
    nodeTimeoutMs: 5_000,
  });
  const operations = Array.from({ length: 125 }, () => ({ method: 'GET', ref: makeId() }));
  const request = {
    method: 'POST',
    headers: { authorization: `Bearer ${await makeToken()}` },
    body: JSON.stringify({ operations }),
  };
  const answers = await Promise.all(
    Array.from({ length: 10 }, async () => (await fetch(`${bridge.url}/v1/batch`, request)).json()),
  );
  // As the protocol says.
  const results = (answers as { results: { status: number }[] }[]).flatMap((answer) => answer.results);
  const statuses = results.map(({ status }) => status);
  assert.deepEqual([statuses.length, ...new Set(statuses)], [1_250, 404]);
});
