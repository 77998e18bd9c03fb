/** What every MemcachedNode must do, whatever stands behind it. Each backend's test file runs this suite. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { createMemjsNode } from '../../packages/bridge/src/memjs-node.ts';
import type { MemcachedNode, NewItem, StoreOutcome } from '../../packages/bridge/src/node.ts';
import { waitUntil } from '../support/wait.ts';
import { testAgainstModel } from './memcached-node.model.ts';

/** A running server that a node can be made for. */
export interface Backend {
  readonly host: string;
  readonly port: number;
  [Symbol.asyncDispose](): Promise<void>;
}

const MAX_ITEM_BYTES = 1_000_000;
/** Wide enough that a busy machine makes no time-outs; deadlines have tests of their own. */
const TIMEOUT_MS = 5_000;

const KEY_CHARACTERS = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index));
const validKey = fc.string({ unit: fc.constantFrom(...KEY_CHARACTERS), minLength: 1, maxLength: 250 });
const anyKey = fc.oneof(
  validKey,
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.constantFrom('', 'k'.repeat(250), 'k'.repeat(251), 'k'.repeat(70_000), 'a b', 'a\r\nb', 'é', '\0'),
);
const anyWhole = fc.oneof(
  fc.integer({ min: 1, max: 1_000 }),
  fc.constantFrom(
    0,
    1,
    -1,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2_592_000,
    2_592_001,
    2 ** 31,
    2 ** 32,
    2 ** 53,
  ),
);
const anySize = fc.oneof(
  fc.integer({ min: 0, max: 5_000 }),
  fc.constantFrom(0, 65_536, MAX_ITEM_BYTES - 1, MAX_ITEM_BYTES, MAX_ITEM_BYTES + 1, 1_048_577),
);

export function testMemcachedNode(name: string, start: () => Promise<Backend>): void {
  describe(name, () => {
    let backend: Backend;
    let node: MemcachedNode;
    before(async () => {
      backend = await start();
      node = createMemjsNode({ index: 3, host: backend.host, port: backend.port, timeoutMs: TIMEOUT_MS });
    });
    after(async () => {
      await node.close();
      await backend[Symbol.asyncDispose]();
    });

    test('it tells its index and its address', () => {
      assert.equal(node.index, 3);
      assert.equal(node.address, `${backend.host}:${backend.port}`);
    });

    test('what is not there is null, and nothing is touched or deleted', async () => {
      assert.equal(await node.gets('missing'), null);
      assert.equal(await node.gat('missing', 60), null);
      assert.equal(await node.touch('missing', 60), null);
      assert.equal(await node.delete('missing'), false);
      assert.equal(await node.delete('missing', 5n), false);
    });

    test('an added item is read with its version, its bytes and its CAS number', async () => {
      const cas = casOf(await node.add('added', item(7, 'record')));
      assert.deepEqual(await node.gets('added'), { version: 7, value: Buffer.from('record'), cas });
    });

    test('a second add finds that something exists and changes nothing', async () => {
      const cas = casOf(await node.add('twice', item(1, 'first')));
      assert.deepEqual(await node.add('twice', item(2, 'second')), { stored: false, reason: 'exists' });
      assert.deepEqual(await node.gets('twice'), { version: 1, value: Buffer.from('first'), cas });
    });

    test('a compare-and-swap replaces exactly the expected state', async () => {
      const first = casOf(await node.add('swapped', item(1, 'one')));
      const second = casOf(await node.cas('swapped', item(2, 'two'), first));
      assert.ok(second > first);
      assert.deepEqual(await node.cas('swapped', item(3, 'three'), first), {
        stored: false,
        reason: 'exists',
      });
      assert.deepEqual(await node.gets('swapped'), { version: 2, value: Buffer.from('two'), cas: second });
      assert.deepEqual(await node.cas('nowhere', item(1, 'x'), first), { stored: false, reason: 'absent' });
      assert.equal(await node.gets('nowhere'), null);
    });

    test('one counter numbers the writes of all items, and it only grows', async () => {
      const numbers: bigint[] = [];
      for (const key of ['n1', 'n2', 'n3']) numbers.push(casOf(await node.add(key, item(1, key))));
      numbers.push(casOf(await node.cas('n1', item(2, 'again'), numbers[0] ?? 0n)));
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => Number(a - b)),
      );
      assert.equal(new Set(numbers).size, numbers.length);
    });

    test('a touch and a read with touch leave version, bytes and CAS number alone', async () => {
      const cas = casOf(await node.add('touched', item(4, 'same')));
      assert.deepEqual(await node.touch('touched', 60), { version: 4, cas });
      assert.deepEqual(await node.gat('touched', 60), { version: 4, value: Buffer.from('same'), cas });
      assert.deepEqual(await node.gets('touched'), { version: 4, value: Buffer.from('same'), cas });
    });

    test('an item ends with its lifetime, and a touch or a read with touch gives it a new one', async () => {
      // So long that a busy machine comes to the touches in time.
      for (const key of ['short', 'short-touched', 'short-read']) {
        assert.ok((await node.add(key, { ...item(1, 'x'), ttlSeconds: 4 })).stored);
      }
      await node.touch('short-touched', 60);
      await node.gat('short-read', 60);
      await waitUntil(async () => (await node.gets('short')) === null, 'the item has expired');
      assert.notEqual(await node.gets('short-touched'), null);
      assert.notEqual(await node.gets('short-read'), null);
    });

    test('a delete with an expected state deletes that state only', async () => {
      const first = casOf(await node.add('deleted', item(1, 'one')));
      const second = casOf(await node.cas('deleted', item(2, 'two'), first));
      assert.equal(await node.delete('deleted', first), false);
      assert.notEqual(await node.gets('deleted'), null);
      assert.equal(await node.delete('deleted', second), true);
      assert.equal(await node.gets('deleted'), null);
      await node.add('deleted', item(1, 'again'));
      assert.equal(await node.delete('deleted'), true);
    });

    test('a tombstone, an item without bytes, is an item', async () => {
      const cas = casOf(await node.add('tombstone', item(9, '')));
      assert.deepEqual(await node.gets('tombstone'), { version: 9, value: Buffer.alloc(0), cas });
    });

    test('the largest version, lifetime and key are taken', async () => {
      const key = '~'.repeat(250);
      const cas = casOf(
        await node.add(key, { version: 2 ** 31, value: Buffer.from('x'), ttlSeconds: 2_592_000 }),
      );
      assert.deepEqual(await node.gets(key), { version: 2 ** 31, value: Buffer.from('x'), cas });
    });

    test('the probe is answered, and the statistics tell process, age, version and memory', async () => {
      await node.noop();
      const stats = await node.stats();
      assert.deepEqual(await node.noop(), undefined);
      for (const name of [
        'pid',
        'uptime',
        'curr_items',
        'bytes',
        'limit_maxbytes',
        'evictions',
        'curr_connections',
      ]) {
        assert.match(stats.get(name) ?? '', /^[0-9]+$/, name);
      }
      for (const name of ['get_hits', 'get_misses']) assert.match(stats.get(name) ?? '', /^[0-9]+$/, name);
      assert.notEqual(stats.get('version') ?? '', '');
    });

    test('the settings tell size, eviction, UDP and protocol', async () => {
      const settings = await node.stats(undefined, 'settings');
      for (const name of ['maxbytes', 'item_size_max', 'udpport'])
        assert.match(settings.get(name) ?? '', /^[0-9]+$/, name);
      assert.match(settings.get('evictions') ?? '', /^(on|off)$/);
      assert.equal(settings.get('binding_protocol'), 'binary');
    });

    test('a value that is too large is refused before it is sent, and the old item stays', async () => {
      const cas = casOf(await node.add('large', item(1, 'small')));
      const large = { version: 2, value: Buffer.alloc(MAX_ITEM_BYTES + 1), ttlSeconds: 60 };
      await assert.rejects(node.cas('large', large, cas), TypeError);
      await assert.rejects(node.add('large', large), TypeError);
      assert.equal((await node.gets('large'))?.cas, cas);
    });

    test('a compare-and-swap without a state to expect is refused, because it would be a plain write', async () => {
      await assert.rejects(node.cas('zero', item(1, 'x'), 0n), TypeError);
      await assert.rejects(node.cas('zero', item(1, 'x'), 2n ** 64n), TypeError);
      await assert.rejects(node.delete('zero', 0n), TypeError);
    });

    test('any key, size, lifetime and version is stored as it is or refused, and harms nothing in flight', async () => {
      const cas = casOf(await node.add('sentinel', item(5, 'unharmed')));
      const expected = { version: 5, value: Buffer.from('unharmed'), cas };
      await fc.assert(
        fc.asyncProperty(anyKey, anySize, anyWhole, anyWhole, async (key, size, version, ttlSeconds) => {
          const value = Buffer.alloc(size, 0x61);
          const sentinels = [node.gets('sentinel')];
          const operations = [
            node.delete(key),
            node.add(key, { version, value, ttlSeconds }),
            node.gat(key, ttlSeconds),
            node.touch(key, ttlSeconds),
            node.gets(key),
          ];
          sentinels.push(node.gets('sentinel'));
          const outcomes = await Promise.allSettled(operations);
          for (const outcome of outcomes) {
            if (outcome.status === 'rejected')
              assert.ok(outcome.reason instanceof TypeError, String(outcome.reason));
          }
          for (const sentinel of await Promise.all(sentinels)) assert.deepEqual(sentinel, expected);
        }),
        { numRuns: 150 },
      );
      assert.equal(node.inFlight, 0);
    });

    test('bytes of any kind and length come back as they were', async () => {
      const bytes = fc.uint8Array({ maxLength: 3_000 });
      await fc.assert(
        fc.asyncProperty(bytes, fc.nat(900_000), async (part, length) => {
          const value = Buffer.alloc(length, part.length === 0 ? Buffer.from([0]) : part);
          await node.delete('bytes');
          assert.ok((await node.add('bytes', { version: 1, value, ttlSeconds: 60 })).stored);
          assert.ok((await node.gets('bytes'))?.value.equals(value));
        }),
        { numRuns: 40 },
      );
    });

    test('what is asked at the same time gets its own answer', async () => {
      const keys = Array.from({ length: 400 }, (_, index) => `own-${index}`);
      await Promise.all(keys.map((key, index) => node.add(key, item(index + 1, key))));
      assert.equal(node.inFlight, 0);
      const pending = keys.map((key) => node.gets(key));
      assert.equal(node.inFlight, keys.length);
      const found = await Promise.all(pending);
      assert.deepEqual(
        found.map((each) => each?.value.toString()),
        keys,
      );
    });

    testAgainstModel(() => node);
  });
}

function item(version: number, text: string): NewItem {
  return { version, value: Buffer.from(text), ttlSeconds: 60 };
}

function casOf(outcome: StoreOutcome): bigint {
  assert.ok(outcome.stored, 'the item was stored');
  return outcome.cas;
}
