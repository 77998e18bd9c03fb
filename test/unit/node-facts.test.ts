import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NodeFacts, readFacts } from '../../packages/bridge/src/node-facts.ts';

const STATS = {
  version: '1.6.44',
  uptime: '60',
  curr_items: '5',
  bytes: '1000',
  limit_maxbytes: '67108864',
  evictions: '0',
  get_hits: '3',
  touch_hits: '1',
  get_misses: '2',
  touch_misses: '1',
  curr_connections: '4',
};
const SETTINGS = { udpport: '0', binding_protocol: 'binary', evictions: 'off', item_size_max: '1048576' };

function facts(stats: Record<string, string> = {}, settings: Record<string, string> | null = {}): NodeFacts {
  return readFacts(
    {
      index: 1,
      stats: { ...STATS, ...stats },
      settings: settings === null ? null : { ...SETTINGS, ...settings },
    },
    524_288,
  );
}

function codes(...given: Parameters<typeof facts>): string[] {
  return facts(...given).warnings.map(({ code }) => code);
}

test('the numbers of a node are those that memcached tells', () => {
  const { warnings, ...rest } = facts();
  assert.deepEqual(rest, {
    index: 1,
    version: '1.6.44',
    uptimeSeconds: 60,
    items: 5,
    usedBytes: 1_000,
    limitBytes: 67_108_864,
    evictions: 0,
    hits: 4,
    misses: 3,
    connections: 4,
  });
  assert.deepEqual(warnings, []);
});

test('a memcached with known holes is warned about, a later one is not', () => {
  for (const version of ['1.4.15', '1.5.22', '1.6.9', '1.6.43'])
    assert.deepEqual(codes({ version }), ['old_version']);
  for (const version of ['1.6.44', '1.6.100', '1.7.0', '2.0.0', 'unknown', '1.6.44-dev'])
    assert.deepEqual(codes({ version }), [], version);
});

test('every way to start a node wrongly has its warning, with the flag that mends it', () => {
  assert.deepEqual(codes({}, { udpport: '11211' }), ['udp']);
  assert.deepEqual(codes({}, { evictions: 'on' }), ['evicts']);
  assert.deepEqual(codes({}, { binding_protocol: 'auto-negotiate' }), ['text_protocol']);
  assert.deepEqual(codes({}, { item_size_max: '524288' }), ['small_items']);
  const all = { udpport: '1', evictions: 'on', binding_protocol: 'auto-negotiate', item_size_max: '1' };
  const texts = facts({}, all).warnings.map(({ text }) => text);
  for (const [index, flag] of ['-U 0', '-B binary', '-M', '-I'].entries())
    assert.ok(texts[index]?.includes(flag), flag);
});

test('what a node has lost, and is about to lose, is warned about', () => {
  assert.deepEqual(codes({ evictions: '7' }), ['evicted']);
  assert.deepEqual(codes({ bytes: String(67_108_864 * 0.91) }), ['nearly_full']);
});

test('a node that tells nothing, or is embedded, is not warned about', () => {
  assert.deepEqual(codes({}, null), []);
  assert.deepEqual(codes({ version: '1.0.0-embedded' }, { evictions: 'on' }), []);
  assert.deepEqual(readFacts({ index: 0, stats: {}, settings: null }, 1).items, 0);
});
