import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BRIDGE_SECRET, change, createInstance, look, visit } from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

function newBridge(): MemoryBridge {
  return new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
}

test('what is saved on one instance is read on another', async () => {
  const bridge = newBridge();
  const [one, other] = [createInstance(bridge.fetch), createInstance(bridge.fetch)];
  const browser = new TestBrowser();
  await change(one, browser, (session) => (session.userId = '42'));
  assert.deepEqual(await look(other, browser), { userId: '42' });
  const meta = await visit(other, browser, (session) => session.meta);
  assert.equal(meta.version, 1);
  assert.equal(meta.source, 'cache');
  assert.match(meta.ref ?? '', /^[0-9A-F]{32}\.0$/);
});
