/** An app goes on with a session while it is saved: what it changes meanwhile is never lost, nor taken for others'. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SessionOptions } from '../../packages/client/src/index.ts';
import { BRIDGE_SECRET, change, createInstance, look, visit, type Data } from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

function setUp(options: SessionOptions<Data> = {}): {
  net: FaultyFetch;
  browser: TestBrowser;
  instance: ReturnType<typeof createInstance>;
  another: () => ReturnType<typeof createInstance>;
} {
  const net = new FaultyFetch(new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } }).fetch);
  const another = (): ReturnType<typeof createInstance> => createInstance(net.fetch);
  return { net, browser: new TestBrowser(), instance: createInstance(net.fetch, options), another };
}

test('a value that is changed back while it is saved is stored as it is in the end', async () => {
  const { browser, instance, another } = setUp();
  await change(instance, browser, (session) => Object.assign(session, { views: 1, userId: '42' }));
  await visit(instance, browser, async (session) => {
    Object.assign(session, { views: 2, flash: 'hello' });
    const saves = [session.save()];
    session.views = 1;
    delete session['flash'];
    saves.push(session.save());
    await Promise.all(saves);
    assert.deepEqual({ ...session }, { views: 1, userId: '42' });
  });
  assert.deepEqual(await look(another(), browser), { views: 1, userId: '42' });
});

test('a value that is changed back while update() or regenerate() stores it is stored as it is in the end', async () => {
  const { browser, instance, another } = setUp();
  await change(instance, browser, (session) => Object.assign(session, { views: 1, userId: '42' }));
  await visit(instance, browser, async (session) => {
    session.views = 2;
    const calls: Promise<unknown>[] = [session.update((data) => void (data['more'] = true))];
    session.views = 1;
    calls.push(session.save());
    session.userId = '43';
    calls.push(session.regenerate());
    session.userId = '42';
    calls.push(session.save());
    await Promise.all(calls);
    assert.deepEqual({ ...session }, { views: 1, userId: '42', more: true });
  });
  assert.deepEqual(await look(another(), browser), { views: 1, userId: '42', more: true });
});

test('a value that is changed back while it is written in the background is stored as it is in the end', async () => {
  const work: Promise<unknown>[] = [];
  const { browser, instance, another } = setUp({
    backup: 'after',
    waitUntil: (each) => void work.push(each),
  });
  await change(instance, browser, (session) => (session.views = 1));
  await visit(instance, browser, async (session) => {
    session['flash'] = 'hello';
    await session.save();
    delete session['flash'];
    await session.save();
  });
  await Promise.all(work);
  assert.deepEqual(await look(another(), browser), { views: 1 });
});

test('what a save brings in from others is no change of the app for those that wait behind it', async () => {
  const { net, browser, instance, another } = setUp();
  await change(instance, browser, (session) => Object.assign(session, { theirs: 1, gone: 1 }));
  await visit(instance, browser.clone(), async (session) => {
    await change(another(), browser, (other) => (other['theirs'] = 2));
    // The first save comes second, and tries again; before the second one, others come first once more.
    net.script((pass) => pass());
    net.script((pass) => pass());
    net.script(async (pass) => {
      assert.equal(session['theirs'], 2);
      await change(another(), browser, (other) => {
        other['theirs'] = 3;
        delete other['gone'];
      });
      return pass();
    });
    session['mine'] = 1;
    const first = session.save();
    session['mine'] = 2;
    await Promise.all([first, session.save()]);
    assert.deepEqual({ ...session }, { mine: 2, theirs: 3 });
    session['mine'] = 3;
    await session.save();
  });
  assert.deepEqual(await look(another(), browser), { mine: 3, theirs: 3 });
});

test('what a save could not store is stored by the next one, unless it was changed back', async () => {
  const { net, browser, instance, another } = setUp({ fallback: 'none' });
  await change(instance, browser, (session) => Object.assign(session, { views: 1, userId: '42' }));
  await visit(instance, browser, async (session) => {
    Object.assign(session, { views: 2, userId: '43', more: true });
    net.set('refuse');
    await assert.rejects(session.save(), { code: 'bridge_unavailable' });
    net.set(null);
    session.userId = '42';
    session['other'] = 1;
    await session.save();
  });
  assert.deepEqual(await look(another(), browser), { views: 2, userId: '42', more: true, other: 1 });
});

test('reload() drops what no save has taken, and keeps what one behind it is about to store', async () => {
  const { browser, instance, another } = setUp();
  await change(instance, browser, (session) => Object.assign(session, { views: 1 }));
  await visit(instance, browser, async (session) => {
    session.views = 2;
    const reloaded = session.reload();
    const saved = session.save();
    session['dropped'] = 1;
    await Promise.all([reloaded, saved]);
    assert.deepEqual({ ...session }, { views: 2 });
    await session.save();
  });
  assert.deepEqual(await look(another(), browser), { views: 2 });
});
