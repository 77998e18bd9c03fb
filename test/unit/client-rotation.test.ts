import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeProtectedHeader, exportJWK, generateKeyPair, type JWK } from 'jose';
import { createSessionManager } from '../../packages/client/src/index.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  look,
  SECRET,
  visit,
  type Instance,
} from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

const NEW_SECRET = 'the-next-session-secret-0123456789-abcdef';
const NEW_BRIDGE_SECRET = 'the-next-bridge-secret-0123456789-abcdef';

/** A visit on each of the instances in turn, each of which must know the visitor and be able to write. */
async function visitAll(instances: readonly Instance[], browser: TestBrowser): Promise<void> {
  for (const instance of instances) {
    await visit(instance, browser, async (session) => {
      assert.equal(session.userId, '42');
      session.views = (session.views ?? 0) + 1;
      await session.save();
    });
  }
}

test('the session secret is replaced in three steps, and nobody is logged out', async () => {
  for (const protection of ['sign', 'encrypt'] as const) {
    const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
    const start = (...secret: string[]): Instance => createInstance(bridge.fetch, { secret, protection });
    const browser = new TestBrowser();
    await change(start(SECRET), browser, (session) => (session.userId = '42'));
    // While each step is rolled out, instances of both kinds serve the same browser.
    await visitAll([start(SECRET), start(SECRET, NEW_SECRET), start(SECRET)], browser);
    const old = browser.who;
    await visitAll(
      [start(SECRET, NEW_SECRET), start(NEW_SECRET, SECRET), start(SECRET, NEW_SECRET)],
      browser,
    );
    assert.notEqual(browser.who, old);
    await visitAll([start(NEW_SECRET, SECRET), start(NEW_SECRET), start(NEW_SECRET, SECRET)], browser);
    await visitAll([start(NEW_SECRET)], browser);
    const late = new TestBrowser();
    late.cookies.set('__Host-session', old ?? '');
    const dropped = start(NEW_SECRET);
    assert.deepEqual(await look(dropped, late), {});
    assert.deepEqual(dropped.events, [{ type: 'rejected', what: 'cookie', reason: 'unknown_key' }]);
  }
});

test('key pairs take the place of the secret, and of each other, in three steps each', async () => {
  const makePair = async (algorithm: string): Promise<{ open: JWK; secret: JWK }> => {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    return { open: await exportJWK(publicKey), secret: await exportJWK(privateKey) };
  };
  const [first, second] = [await makePair('EdDSA'), await makePair('ES256')];
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const start = (...signingKeys: JWK[]): Instance =>
    createInstance(bridge.fetch, signingKeys.length === 0 ? {} : { signingKeys });
  const browser = new TestBrowser();
  await change(start(), browser, (session) => (session.userId = '42'));
  const steps: JWK[][] = [
    [],
    [first.open],
    [first.secret],
    [first.secret, second.open],
    [second.secret, first.open],
    [second.secret],
  ];
  for (const [i, keys] of steps.entries()) {
    const before = steps[i - 1] ?? [];
    // While each step is rolled out, instances of both kinds serve the same browser.
    await visitAll([start(...before), start(...keys), start(...before), start(...keys)], browser);
  }
  const algorithms = [...bridge.items.values()].map(({ record }) => decodeProtectedHeader(record).alg);
  assert.deepEqual(algorithms, ['ES256']);
  const late = start(first.secret);
  assert.deepEqual(await look(late, browser.clone()), {});
  assert.deepEqual(late.events, [{ type: 'rejected', what: 'record', reason: 'unknown_key' }]);
});

test('data carried through an outage survives the change of secrets', async () => {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const browser = new TestBrowser();
  const instance = createInstance(bridge.fetch);
  await change(instance, browser, (session) => (session.userId = '42'));
  for (const node of [0, 1, 2]) bridge.down.add(node);
  await change(instance, browser, (session) => (session.views = 1));
  bridge.down.clear();
  const next = createInstance(bridge.fetch, { secret: [NEW_SECRET, SECRET] });
  assert.deepEqual(await look(next, browser), { userId: '42', views: 1 });
});

test('the order of the secrets that only verify does not matter', async () => {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const browser = new TestBrowser();
  await change(
    createInstance(bridge.fetch, { secret: [SECRET] }),
    browser,
    (session) => (session.userId = '42'),
  );
  const third = 'a-third-session-secret-0123456789-abcdefgh';
  for (const secret of [
    [NEW_SECRET, third, SECRET],
    [NEW_SECRET, SECRET, third],
  ]) {
    assert.equal((await look(createInstance(bridge.fetch, { secret }), browser)).userId, '42');
  }
});

test('the bridge secret is replaced in three steps without a refusal', async () => {
  const browser = new TestBrowser();
  const items = new Map();
  const bridge = (...secrets: string[]): MemoryBridge => {
    const started = new MemoryBridge({ secrets: { default: secrets } });
    for (const [key, item] of items) started.items.set(key, item);
    return started;
  };
  const first = bridge(BRIDGE_SECRET, NEW_BRIDGE_SECRET);
  await change(createInstance(first.fetch), browser, (session) => (session.userId = '42'));
  await visitAll([createInstance(first.fetch, { bridgeSecret: NEW_BRIDGE_SECRET })], browser);
  for (const [key, item] of first.items) items.set(key, item);
  await visitAll(
    [createInstance(bridge(NEW_BRIDGE_SECRET).fetch, { bridgeSecret: NEW_BRIDGE_SECRET })],
    browser,
  );
});

test('options that cannot work are refused when the manager is made', () => {
  const good = { secret: SECRET, bridgeUrl: 'http://bridge.test', bridgeSecret: BRIDGE_SECRET };
  createSessionManager(good);
  const refused = [
    { secret: 'short' },
    { secret: [SECRET, 'ü'.repeat(15)] },
    { secret: [] },
    { bridgeSecret: 'short' },
    { bridgeUrl: 'bridge.test' },
    { bridgeUrl: 'ftp://bridge.test' },
    { bridgeUrl: 'http://user:password@bridge.test' },
    { bridgeUrl: [] },
    { app: 'No:App' },
    { ttl: 0 },
    { ttl: 2_592_001 },
    { ttl: 1.5 },
    { absoluteTtl: 0 },
    { maxStale: -1 },
    { maxStale: Number.NaN },
    { timeoutMs: 0 },
    { signingKeys: [{ kty: 'oct', k: 'c2VjcmV0' }] },
    { signingKeys: [{ kty: 'EC', crv: 'P-384', x: '', y: '' }] },
    { cookie: { name: 'a;b' } },
    { cookie: { maxAge: 0 } },
    { cookie: { sameSite: 'none' as const, secure: false } },
  ];
  for (const options of refused) {
    assert.throws(() => createSessionManager({ ...good, ...options }), TypeError, JSON.stringify(options));
  }
  assert.throws(
    () => createSessionManager({ ...good, secret: 'short' }),
    (error) =>
      error instanceof TypeError &&
      error.message.includes('openssl rand -base64 32') &&
      !error.message.includes('short;'),
  );
});

test('the environment gives what the options leave out', () => {
  const names = ['SESSION_SECRET', 'BRIDGE_URL', 'BRIDGE_SECRET'] as const;
  for (const name of names) assert.equal(process.env[name], undefined);
  assert.throws(() => createSessionManager(), TypeError);
  process.env['SESSION_SECRET'] = `${SECRET},${NEW_SECRET}`;
  process.env['BRIDGE_URL'] = 'http://one.test, http://two.test/path/';
  process.env['BRIDGE_SECRET'] = BRIDGE_SECRET;
  try {
    createSessionManager();
  } finally {
    for (const name of names) delete process.env[name];
  }
});
