import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Networks, type Resolve } from '../../packages/bridge/src/networks.ts';
import { type NodeList, parseNodeAddresses } from '../../packages/bridge/src/node-list.ts';
import { Roster } from '../../packages/bridge/src/roster.ts';

function setUp(resolve: Resolve): { roster: Roster; changes: NodeList[] } {
  const parsed = parseNodeAddresses('10.0.0.1:11211,10.0.0.2:11211,10.0.0.3:11211');
  assert.ok(parsed.ok);
  const changes: NodeList[] = [];
  const roster = new Roster({
    source: { kind: 'environment' },
    list: parsed.nodes,
    networks: new Networks(['10.0.0.0/8', 'fe80::/10'], resolve),
    onChange: (list) => changes.push(list),
  });
  return { roster, changes };
}

test('a change that waits for the address of a name does not undo one that was made meanwhile', async () => {
  let answer: (addresses: string[]) => void = () => {};
  const addresses = new Promise<string[]>((resolve) => (answer = resolve));
  const { roster } = setUp(() => addresses);
  const appended = roster.change({ kind: 'append', address: 'node-d:11211' });
  const drained = roster.change({ kind: 'drain', index: 1 });
  await new Promise((resolve) => setImmediate(resolve));
  answer(['10.0.0.4']);
  assert.deepEqual([(await appended).ok, (await drained).ok], [true, true]);
  assert.deepEqual(roster.lines, [
    '10.0.0.1:11211',
    '10.0.0.2:11211 drain',
    '10.0.0.3:11211',
    '10.0.0.4:11211',
  ]);
});

test('two names of one address are one node', async () => {
  const { roster, changes } = setUp(async () => ['10.0.0.4']);
  const lines = [...roster.lines, 'node-d:11211', 'node-e:11211'];
  const changed = await roster.change({ kind: 'replace', lines });
  assert.equal(changed.ok, false);
  assert.equal(changed.ok || changed.code, 'refused');
  assert.deepEqual(changes, []);
  assert.equal((await roster.change({ kind: 'append', address: 'node-d:11211' })).ok, true);
});

test('an address with a zone is admitted or refused like any other', async () => {
  const { roster } = setUp(async () => []);
  assert.equal((await roster.change({ kind: 'append', address: '[fe80::1%eth0]:11211' })).ok, true);
  const refused = await roster.change({ kind: 'append', address: '[fd00::1%eth0]:11211' });
  assert.equal(refused.ok || refused.code, 'address_not_allowed');
});

test('a change that fails does not stop those that come after it', async () => {
  const { roster } = setUp(async () => Promise.reject(new Error('unknown host')));
  const results = await Promise.all([
    roster.change({ kind: 'append', address: 'nowhere:11211' }),
    roster.change({ kind: 'drain', index: 0 }),
  ]);
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [false, true],
  );
});
