import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findNetworkProblems, Networks } from '../../packages/bridge/src/networks.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  inside: ['10.0.0.7'],
  outside: ['192.0.2.1'],
  both: ['10.0.0.7', '192.0.2.1'],
};

async function resolve(host: string): Promise<readonly string[]> {
  const addresses = NAMES[host];
  if (addresses === undefined) throw new Error('ENOTFOUND');
  return addresses;
}

const admit = (networks: readonly string[], host: string): Promise<string | null> =>
  new Networks(networks, resolve).admit(host);

test('an address is admitted when it is in one of the networks', async () => {
  const networks = ['10.0.0.0/8', 'fd00::/8', '192.0.2.9'];
  for (const host of ['10.0.0.1', '10.255.255.255', 'fd12::1', '192.0.2.9'])
    assert.equal(await admit(networks, host), host);
  const others = [
    '11.0.0.1',
    '127.0.0.1',
    '169.254.169.254',
    '192.0.2.8',
    '::1',
    'fe80::1',
    '0.0.0.0',
    '2001:db8::1',
  ];
  for (const host of others) assert.equal(await admit(networks, host), null, host);
});

test('an IPv4 address that is written as IPv6 is the same address', async () => {
  assert.equal(await admit(['10.0.0.0/8'], '::ffff:10.0.0.1'), '::ffff:10.0.0.1');
  assert.equal(await admit(['10.0.0.0/8'], '::ffff:127.0.0.1'), null);
  assert.equal(await admit(['fd00::/8'], '::ffff:10.0.0.1'), null);
});

test('a name is resolved once, and what it pointed to then is what is used', async () => {
  let asked = 0;
  const networks = new Networks(['10.0.0.0/8'], async () => {
    asked += 1;
    return asked === 1 ? ['10.0.0.7'] : ['169.254.169.254'];
  });
  assert.equal(await networks.admit('changes.its.mind'), '10.0.0.7');
  assert.equal(asked, 1);
});

test('a name is refused when it is unknown, or when any of its addresses is outside', async () => {
  const networks = ['10.0.0.0/8'];
  assert.equal(await admit(networks, 'inside'), '10.0.0.7');
  for (const host of ['outside', 'both', 'unknown', '2130706433', '0x7f.1', ''])
    assert.equal(await admit(networks, host), null, host);
});

test('without networks nothing is admitted', async () => {
  const networks = new Networks([], resolve);
  assert.ok(networks.isEmpty);
  assert.equal(await networks.admit('10.0.0.1'), null);
});

test('what is no network is told', () => {
  assert.deepEqual(findNetworkProblems(['10.0.0.0/8', 'fd00::/8', '::1', '0.0.0.0/0']), []);
  for (const wrong of [
    '10.0.0.0/33',
    'fd00::/129',
    'name',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '',
  ])
    assert.equal(findNetworkProblems([wrong]).length, 1, wrong);
});
