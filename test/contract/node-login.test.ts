import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createMemjsNode } from '../../packages/bridge/src/memjs-node.ts';
import type { MemcachedNode } from '../../packages/bridge/src/node.ts';
import { startMemcached } from '../support/memcached.ts';
import { newItem, openNode } from '../support/nodes.ts';
import type { Using } from '../support/nodes.ts';
import { isKind } from '../support/outcomes.ts';
import { startSaslMemcached } from '../support/sasl.ts';
import type { SaslMemcached } from '../support/sasl.ts';

const LOGIN = { username: 'bridge', password: 'p:a@s,s wörd' };
let server: SaslMemcached;

before(async () => {
  server = await startSaslMemcached(LOGIN);
});
after(() => server[Symbol.asyncDispose]());

test('a node that asks for a login lets in who knows it, on every connection', async () => {
  await using node = open(LOGIN);
  assert.ok((await node.it.add('login', newItem(1))).stored);
  await Promise.all(Array.from({ length: 50 }, () => node.it.gets('login')));
  await node.it.noop();
  assert.notEqual((await node.it.stats()).size, 0);
});

test('a wrong password, no login at all, or an unknown user fail as auth, also for the probe', async () => {
  for (const login of [{ ...LOGIN, password: 'wrong' }, {}, { ...LOGIN, username: 'stranger' }]) {
    await using node = open(login);
    await assert.rejects(node.it.gets('login'), isKind('auth'));
    await assert.rejects(node.it.noop(), isKind('auth'));
  }
});

test('a node without a login is refused when one was configured, so that a mix-up is noticed', async () => {
  await using memcached = await startMemcached();
  const node = createMemjsNode({ index: 0, host: memcached.host, port: memcached.port, ...LOGIN });
  await assert.rejects(node.gets('login'), isKind('auth'));
  await node.close();
});

test('credentials in the environment are never used', async () => {
  for (const name of ['MEMCACHE', 'MEMCACHIER']) {
    process.env[`${name}_USERNAME`] = LOGIN.username;
    process.env[`${name}_PASSWORD`] = LOGIN.password;
  }
  try {
    await using node = open({});
    await assert.rejects(node.it.gets('login'), isKind('auth'));
  } finally {
    for (const name of ['MEMCACHE', 'MEMCACHIER']) {
      delete process.env[`${name}_USERNAME`];
      delete process.env[`${name}_PASSWORD`];
    }
  }
});

test('half a login is refused at once', () => {
  for (const login of [{ username: 'x' }, { password: 'x' }, { username: 'x', password: '' }]) {
    assert.throws(() => createMemjsNode({ index: 0, host: '127.0.0.1', port: 11211, ...login }), TypeError);
  }
});

function open(login: Partial<typeof LOGIN>): Using<MemcachedNode> {
  return openNode(server.memcached, { timeoutMs: 2_000, ...login });
}
