/** Logging in while no bridge can be reached. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionUnavailableError } from '../../packages/client/src/index.ts';
import { change, createInstance, look, visit, type Instance } from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

interface Stage {
  readonly net: FaultyFetch;
  readonly browser: TestBrowser;
  readonly start: () => Instance;
}

function setUp(): Stage {
  const { fetch } = new MemoryBridge({ secrets: {}, isOpen: true });
  const net = new FaultyFetch(fetch);
  return { net, browser: new TestBrowser(), start: () => createInstance(net.fetch) };
}

test('a visitor without a session can log in while no bridge can be reached', async () => {
  const { net, browser, start } = setUp();
  net.set('refuse');
  await visit(start(), browser, async (session) => {
    session.userId = '42';
    await session.regenerate();
    assert.equal(session.meta.source, 'cookie');
  });
  assert.deepEqual(await look(start(), browser), { userId: '42' });
  net.set(null);
  const instance = start();
  assert.deepEqual(await look(instance, browser), { userId: '42' });
  assert.equal(instance.told('restore').length, 1);
});

test('a session that is stored gets no new id while its old one cannot be ended', async () => {
  const { net, browser, start } = setUp();
  const instance = start();
  await change(instance, browser, (session) => (session.cart = ['tea']));
  const { who } = browser;
  net.set('refuse');
  await visit(instance, browser, async (session) => {
    session.userId = '42';
    await assert.rejects(session.regenerate(), SessionUnavailableError);
  });
  assert.equal(browser.who, who);
});

test('a session that is carried gets no new id either, for a bridge may know its old one', async () => {
  const { net, browser, start } = setUp();
  const instance = start();
  net.set('refuse');
  await change(instance, browser, (session) => (session.cart = ['tea']));
  const { who } = browser;
  await visit(instance, browser, async (session) => {
    session.userId = '42';
    await assert.rejects(session.regenerate(), SessionUnavailableError);
  });
  assert.equal(browser.who, who);
});
