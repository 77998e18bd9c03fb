import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ItemMemory } from '../../packages/bridge/src/embedded-items.ts';
import type {
  ItemMemoryOptions,
  StoreRequest,
  StoreResult,
} from '../../packages/bridge/src/embedded-items.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** What an item with a key of one byte and no flags needs beside its value. */
const OVERHEAD = 60;
const VALUE_BYTES = 40;
/** Room for exactly three such items. */
const THREE = 3 * (OVERHEAD + VALUE_BYTES);

test('a full memory forgets the item that was used least recently', () => {
  const memory = open();
  for (const key of ['a', 'b', 'c']) set(memory, key);
  memory.get('a');
  memory.touch('b', 0);
  set(memory, 'd');
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].filter((key) => memory.get(key) !== undefined),
    ['a', 'b', 'd'],
  );
  assert.deepEqual(memory.counts, { items: 3, bytes: THREE, evictions: 1, totalItems: 4 });
});

test('a full memory that may not forget refuses new items and keeps the old ones', () => {
  const memory = open({ isEvicting: false });
  for (const key of ['a', 'b', 'c']) set(memory, key);
  assert.equal(set(memory, 'd', { mode: 'add' }).outcome, 'out_of_memory');
  assert.equal(set(memory, 'a', { mode: 'replace' }).outcome, 'out_of_memory');
  assert.notEqual(memory.get('a'), undefined);
  assert.equal(memory.counts.evictions, 0);
  assert.equal(set(memory, 'a', { mode: 'set' }).outcome, 'out_of_memory');
  assert.equal(memory.get('a'), undefined);
});

test('what has expired makes room before anything is refused, and is not counted as evicted', async () => {
  const clock = new FakeClock();
  const memory = open({ isEvicting: false, clock });
  set(memory, 'a', { ttl: 1 });
  for (const key of ['b', 'c']) set(memory, key);
  await clock.advance(1_000);
  assert.equal(set(memory, 'd').outcome, 'stored');
  assert.equal(memory.counts.evictions, 0);
});

test('an item lives exactly as long as its lifetime, however it is given', async () => {
  const clock = new FakeClock();
  const memory = open({ clock, epochSeconds: () => 2_000_000_000 });
  for (const [ttl, lifetimeMs] of [
    [1, 1_000],
    [2_592_000, 2_592_000_000],
    [2_000_000_060, 60_000],
  ] as const) {
    set(memory, 'a', { ttl });
    await clock.advance(lifetimeMs - 1);
    assert.notEqual(memory.get('a'), undefined);
    await clock.advance(1);
    assert.equal(memory.get('a'), undefined);
  }
  set(memory, 'a', { ttl: 2_592_001 });
  assert.equal(memory.get('a'), undefined);
});

test('after any history the bytes counted are those of the items that are there, within the limit', () => {
  const step = fc.tuple(
    fc.constantFrom('a', 'b', 'c', 'd', 'e'),
    fc.nat(120),
    fc.constantFrom('set', 'add', 'delete'),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.boolean(), (steps, isEvicting) => {
      const memory = open({ isEvicting });
      for (const [key, size, kind] of steps) {
        if (kind === 'delete') memory.delete(key, 0n);
        else set(memory, key, { mode: kind === 'set' ? 'set' : 'add', value: Buffer.alloc(size) });
      }
      const present = ['a', 'b', 'c', 'd', 'e']
        .map((key) => memory.get(key))
        .filter((item) => item !== undefined);
      const bytes = present.reduce((sum, item) => sum + OVERHEAD + item.value.length, 0);
      assert.equal(memory.counts.items, present.length);
      assert.equal(memory.counts.bytes, bytes);
      assert.ok(bytes <= THREE);
    }),
  );
});

function open(options: Partial<ItemMemoryOptions> = {}): ItemMemory {
  return new ItemMemory({
    clock: new FakeClock(),
    epochSeconds: () => 1_700_000_000,
    maxBytes: THREE,
    maxItemBytes: THREE,
    isEvicting: true,
    ...options,
  });
}

function set(memory: ItemMemory, key: string, request: Partial<StoreRequest> = {}): StoreResult {
  return memory.store(key, {
    mode: 'set',
    flags: 0,
    value: Buffer.alloc(VALUE_BYTES),
    ttl: 0,
    cas: 0n,
    ...request,
  });
}
