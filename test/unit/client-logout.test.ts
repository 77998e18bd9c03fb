import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeferredOperations } from '../../packages/client/src/deferred.ts';
import { SessionUnavailableError } from '../../packages/client/src/index.ts';
import type { BatchOperation } from '../../packages/client/src/protocol.ts';
import type { Answer } from '../../packages/client/src/wire.ts';
import { BRIDGE_SECRET, change, createInstance, TestClock, visit } from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

function setUp(): {
  bridge: MemoryBridge;
  net: FaultyFetch;
  clock: TestClock;
  browser: TestBrowser;
  instance: ReturnType<typeof createInstance>;
  another: () => ReturnType<typeof createInstance>;
} {
  const clock = new TestClock();
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] }, now: () => clock.now() });
  const net = new FaultyFetch(bridge.fetch);
  const another = (): ReturnType<typeof createInstance> => createInstance(net.fetch, { clock });
  return { bridge, net, clock, browser: new TestBrowser(), instance: another(), another };
}

const UNAVAILABLE = { name: 'SessionUnavailableError' };

for (const [how, end] of [
  ['destroy()', (session) => session.destroy()],
  ['regenerate()', (session) => session.regenerate()],
] satisfies [string, Parameters<typeof visit<void>>[2]][]) {
  test(`${how} in an outage ends the session on the nodes as soon as it is over, whatever fails before`, async () => {
    const { bridge, net, clock, browser, instance, another } = setUp();
    await change(instance, browser, (session) => (session.userId = '42'));
    const stolen = browser.clone();
    // The new session of regenerate() is stored; nothing after it gets through.
    if (how === 'regenerate()') {
      net.script((pass) => pass());
      net.script((pass) => pass());
    }
    net.set('refuse');
    await assert.rejects(visit(instance, browser, end), UNAVAILABLE);
    for (let i = 0; i < 3; i += 1) {
      await change(instance, new TestBrowser(), (session) => (session.views = i));
      clock.advance(2);
    }
    net.set(null);
    const isEnded = (): boolean => [...bridge.items.values()].some(({ record }) => record === '');
    const comeLater = async (): Promise<boolean> => {
      clock.advance(2);
      await change(instance, new TestBrowser(), (session) => (session.views = 9));
      return isEnded();
    };
    await waitUntil(comeLater, 'the session has ended');
    await visit(another(), stolen, (session) => assert.equal(session.meta.isNew, true));
    // As soon as its answer has come, nobody sends it again.
    const isAlone = async (): Promise<boolean> => {
      const sent = bridge.operations.length;
      await comeLater();
      return bridge.operations.slice(sent).every(({ method }) => method === 'PUT');
    };
    await waitUntil(isAlone, 'the logout is sent no more');
  });
}

const ANSWER: Answer = { status: 204, index: null, version: null, copies: null, record: null };

function end(number: number): BatchOperation {
  return { method: 'DELETE', ref: number.toString(16).toUpperCase().padStart(32, '0'), ttl: 60 };
}

test('a logout that waits is sent once a second, a hundred at a time, and no touch takes its place', async () => {
  const deferred = new DeferredOperations();
  for (let i = 0; i < 1001; i += 1) deferred.addTouch({ ...end(i), method: 'TOUCH' }, () => undefined);
  for (let i = 0; i < 250; i += 1) deferred.addEnd(end(i));
  const sent: string[] = [];
  const refuse = async ({ method, ref }: BatchOperation): Promise<Answer> => {
    if (method === 'DELETE') sent.push(ref);
    throw new SessionUnavailableError('bridge_unavailable');
  };
  for (const now of [0, 1, 2, 3, 4]) deferred.leave(now, refuse);
  assert.equal(sent.length, 250);
  assert.equal(new Set(sent).size, 250);
  const answered: string[] = [];
  const accept = async ({ ref }: BatchOperation): Promise<Answer> => {
    answered.push(ref);
    return ANSWER;
  };
  for (const now of [2000, 2001, 2002, 9000]) {
    deferred.leave(now, accept);
    await Promise.resolve();
  }
  assert.deepEqual(answered, sent);
});

test('of ten thousand logouts that wait the oldest makes room', () => {
  const deferred = new DeferredOperations();
  for (let i = 0; i <= 10_000; i += 1) deferred.addEnd(end(i));
  const sent: string[] = [];
  const send = ({ ref }: BatchOperation): Promise<Answer> => {
    sent.push(ref);
    return new Promise(() => undefined);
  };
  for (let now = 0; now < 200; now += 1) deferred.leave(now, send);
  assert.equal(sent.length, 10_000);
  assert.ok(!sent.includes(end(0).ref));
});
