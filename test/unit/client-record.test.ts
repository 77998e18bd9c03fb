import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  base64url,
  CompactSign,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type CompactJWSHeaderParameters,
  type JWK,
} from 'jose';
import {
  createRecordCodec,
  type RecordOptions,
  type SessionRecord,
} from '../../packages/client/src/index.ts';
import { deriveSigningKeys } from '../../packages/client/src/keys.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  look,
  SECRET,
  TestClock,
  type Instance,
} from '../support/client-instance.ts';
import { MemoryBridge, type StoredItem } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';
const EXPECTED = { id: ID, startedAfter: 0 };

const record: SessionRecord = {
  id: ID,
  version: 7,
  savedAt: 1_900_000_000,
  startedAt: 1_800_000_000,
  nonce: 'abcdef',
  log: ['ghijkl'],
  changed: new Map([['userId', 7]]),
  cut: 2,
  codec: 'json',
  data: '{"userId":"42"}',
};

function options(given: Partial<RecordOptions> = {}): RecordOptions {
  return { app: 'default', secrets: [SECRET], protection: 'sign', signingKeys: [], ...given };
}

async function keyPair(algorithm: 'EdDSA' | 'ES256'): Promise<{ secret: JWK; open: JWK }> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return { secret: await exportJWK(privateKey), open: await exportJWK(publicKey) };
}

test('a record comes back as it was signed, whatever protects it', async () => {
  const eddsa = await keyPair('EdDSA');
  const es256 = await keyPair('ES256');
  for (const given of [
    {},
    { protection: 'encrypt' as const },
    { signingKeys: [eddsa.secret] },
    { signingKeys: [es256.secret] },
  ]) {
    const codec = createRecordCodec(options(given));
    const text = await codec.sign(record);
    assert.deepEqual(await codec.verify(text, EXPECTED), { ok: true, record });
    assert.equal(given.protection === 'encrypt', text.split('.').length === 5);
  }
});

test('an encrypted record shows nothing, and signed ones are read besides', async () => {
  const signing = createRecordCodec(options());
  const encrypting = createRecordCodec(options({ protection: 'encrypt' }));
  const text = await encrypting.sign(record);
  for (const part of text.split('.').slice(1)) {
    assert.ok(!new TextDecoder().decode(base64url.decode(part)).includes('userId'));
  }
  assert.equal((await signing.verify(text, EXPECTED)).ok, true);
  assert.equal((await encrypting.verify(await signing.sign(record), EXPECTED)).ok, true);
});

test('who has only public keys verifies and cannot sign', async () => {
  const { secret, open } = await keyPair('EdDSA');
  const text = await createRecordCodec(options({ signingKeys: [secret] })).sign(record);
  const reader = createRecordCodec(options({ signingKeys: [open, (await keyPair('EdDSA')).secret] }));
  assert.equal((await reader.verify(text, EXPECTED)).ok, true);
  const onlyReader = createRecordCodec(options({ secrets: [], signingKeys: [open] }));
  assert.equal((await onlyReader.verify(text, EXPECTED)).ok, true);
  await assert.rejects(onlyReader.sign(record), TypeError);
});

test('what another reader left out is filled in', async () => {
  const codec = createRecordCodec(options());
  const foreign = await forge({}, { jti: undefined, log: undefined, chg: undefined, cut: undefined });
  const verified = await codec.verify(foreign, EXPECTED);
  assert.ok(verified.ok);
  const { nonce, log, changed, cut } = verified.record;
  assert.deepEqual({ nonce, log, changed, cut }, { nonce: '', log: [], changed: null, cut: 0 });
});

test('forged records are rejected, each for its reason', async () => {
  const codec = createRecordCodec(options());
  const { open } = await keyPair('ES256');
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  const spki = new TextEncoder().encode(await exportSPKI(publicKey));
  const [key] = await deriveSigningKeys([SECRET]);
  const kid = key?.kid;
  const good = await codec.sign(record);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const none = base64url.encode(JSON.stringify({ alg: 'none', kid, typ: 'memsession+jwt' }));
  const bomb = { alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', p2c: 1e9, p2s: 'AA', kid, typ: 'memsession+jwt' };
  const forgeries: [string, string, string][] = [
    ['malformed', 'no text', ''],
    ['malformed', 'no header', '..'],
    ['malformed', 'a page', '<!doctype html>'],
    ['algorithm', 'alg none', `${none}.${payload}.`],
    ['algorithm', 'alg none with a signature', `${none}.${payload}.${signature}`],
    ['algorithm', 'HS512', await forge({ alg: 'HS512' }, {}, new Uint8Array(64))],
    [
      'algorithm',
      'RS256',
      `${base64url.encode(JSON.stringify({ alg: 'RS256', kid }))}.${payload}.${signature}`,
    ],
    ['algorithm', 'the key of another algorithm', await forgeHeader({ alg: 'ES256' }, good)],
    ['signature', 'another secret', await forge({}, {}, new TextEncoder().encode('x'.repeat(32)))],
    ['signature', 'a public key as secret', await forge({}, {}, spki)],
    ['signature', 'a changed payload', `${header}.${payload.slice(0, -2)}AA.${signature}`],
    ['signature', 'no signature', `${header}.${payload}.`],
    ['malformed', 'four parts', `${good}.x`],
    ['header', 'jku', await forgeHeader({ jku: 'https://evil.example/jwks' }, good)],
    ['header', 'jwk', await forgeHeader({ jwk: { ...open } }, good)],
    ['header', 'x5u', await forgeHeader({ x5u: 'https://evil.example/x5u' }, good)],
    ['header', 'crit', await forge({ crit: ['b64'], b64: true })],
    ['header', 'zip', await forgeHeader({ zip: 'DEF' }, good)],
    ['header', 'a key from a billion rounds', `${base64url.encode(JSON.stringify(bomb))}.AA.AA.AA.AA`],
    ['unknown_key', 'kid __proto__', await forgeHeader({ kid: '__proto__' }, good)],
    ['unknown_key', 'a kid that is no text', await forgeHeader({ kid: 1 }, good)],
    ['unknown_key', 'no kid', await forgeHeader({ kid: undefined }, good)],
    ['type', 'another type', await forge({ typ: 'JWT' })],
    ['type', 'no type', await forge({ typ: undefined })],
    ['subject', 'another id', await forge({}, { sub: ID.replace('6', '7') })],
    ['audience', 'another app', await forge({}, { aud: 'other' })],
    ['audience', 'a list of apps', await forge({}, { aud: ['default', 'other'] })],
    ['claims', 'a version that is none', await forge({}, { ver: '7' })],
    ['claims', 'version 0', await forge({}, { ver: 0 })],
    ['claims', 'no beginning', await forge({}, { ini: undefined })],
    ['claims', 'data with the name of a method', await forge({}, { data: { save: 1 } })],
    ['claims', 'data that is a list', await forge({}, { data: [] })],
    ['claims', 'a payload that is no object', await forgePayload('[]')],
    ['claims', 'a payload that is no JSON', await forgePayload('{')],
  ];
  for (const [reason, what, text] of forgeries) {
    assert.deepEqual(await codec.verify(text, EXPECTED), { ok: false, reason }, what);
  }
  const expired = await codec.verify(good, { id: ID, startedAfter: record.startedAt + 1 });
  assert.deepEqual(expired, { ok: false, reason: 'expired' });
});

test('keys that reach a prototype do not survive, however they are spelt', async () => {
  const codec = createRecordCodec(options());
  const evil =
    '{"__proto__":{"isAdmin":true},"a":{"\\u005f_proto__":{"isAdmin":true},"constructor":{"prototype":{"isAdmin":true}}}}';
  const text = await forgePayload(`{"sub":"${ID}","aud":"default","ver":7,"iat":1,"ini":1,"data":${evil}}`);
  const verified = await codec.verify(text, EXPECTED);
  assert.ok(verified.ok);
  assert.equal(verified.record.data, '{"a":{}}');
});

test('a record put under another id, or a reader’s other app, gives no data', async () => {
  const secrets = { default: [BRIDGE_SECRET], other: [BRIDGE_SECRET] };
  const bridge = new MemoryBridge({ secrets });
  const [mine, theirs] = [new TestBrowser(), new TestBrowser()];
  await change(createInstance(bridge.fetch), mine, (session) => (session.userId = 'me'));
  await change(createInstance(bridge.fetch), theirs, (session) => (session.userId = 'they'));
  const [first, second] = [...bridge.items.keys()];
  assert.ok(first !== undefined && second !== undefined);
  const swapped = bridge.items.get(second);
  assert.ok(swapped);
  bridge.items.set(first, swapped);
  const reader = createInstance(bridge.fetch);
  assert.deepEqual(await look(reader, mine), {});
  assert.deepEqual(reader.events, [{ type: 'rejected', what: 'record', reason: 'subject' }]);

  const other = createInstance(bridge.fetch, { app: 'other' });
  bridge.items.set(second.replace('default', 'other'), swapped);
  assert.deepEqual(await look(other, theirs), {});
  assert.deepEqual(other.events, [{ type: 'rejected', what: 'cookie', reason: 'foreign' }]);
});

test('an old record that is put back is below the floor, and gives no data', async () => {
  const clock = new TestClock();
  const bridge = new MemoryBridge({
    secrets: { default: [BRIDGE_SECRET] },
    now: () => clock.now(),
  });
  const start = (): Instance => createInstance(bridge.fetch, { clock });
  const browser = new TestBrowser();
  await change(start(), browser, (session) => (session['role'] = 'admin'));
  const [key, old] = onlyItem(bridge);
  const keeper = start();
  await change(keeper, browser, (session) => (session['role'] = 'guest'));
  bridge.items.set(key, old);
  const reader = start();
  // It may be what was left of a loss a moment ago; later it is certainly no session.
  await assert.rejects(look(reader, browser), { code: 'nodes_unavailable' });
  clock.advance(31);
  assert.deepEqual(await look(reader, browser), {});
  const told = { type: 'rejected', what: 'record', reason: 'below_floor' };
  assert.deepEqual(reader.events, [told, told]);
  // The instance that holds the newer one puts it back in its place.
  const session = await keeper.manager.getSession(browser.request(), { fresh: true });
  assert.equal(session['role'], 'guest');
  assert.deepEqual(keeper.told('restore'), [{ type: 'restore', version: 3, reason: 'older' }]);
  assert.deepEqual(await look(start(), browser), { role: 'guest' });
});

test('a save that finds only an older record stores its whole data above both', async () => {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const browser = new TestBrowser();
  const instance = createInstance(bridge.fetch);
  await change(instance, browser, (session) => (session.views = 1));
  const [key, old] = onlyItem(bridge);
  await change(instance, browser, (session) => (session.userId = '42'));
  await change(instance, browser, (session) => (session.cart = ['apple']));
  bridge.items.set(key, old);
  await change(instance, browser, (session) => (session.views = 2));
  assert.equal(bridge.items.get(key)?.version, 4);
  assert.deepEqual(instance.told('restore'), [{ type: 'restore', version: 4, reason: 'older' }]);
  const whole = { views: 2, userId: '42', cart: ['apple'] };
  assert.deepEqual(await look(createInstance(bridge.fetch), browser), whole);
});

test('an answer whose ETag is not the version of its record is a lie, and no outage logs anybody out', async () => {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const browser = new TestBrowser();
  const instance = createInstance(bridge.fetch, { maxStale: 0 });
  await change(instance, browser, (session) => (session.userId = '42'));
  const [key, true_] = onlyItem(bridge);
  bridge.items.set(key, { ...true_, version: 9 });
  await assert.rejects(look(createInstance(bridge.fetch), browser), { code: 'invalid_response' });
  const stale = await instance.manager.getSession(browser.request());
  assert.equal(stale.userId, '42');
  assert.equal(stale.meta.stale, true);
});

test('a record that is none of ours is never overwritten by a save on top of it', async () => {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const browser = new TestBrowser();
  const instance = createInstance(bridge.fetch);
  await change(instance, browser, (session) => (session.views = 1));
  const [key] = onlyItem(bridge);
  bridge.items.set(key, { version: 9, record: 'junk', expiresAt: Infinity });
  await assert.rejects(
    change(instance, browser, (session) => (session.views = 2)),
    { code: 'invalid_response' },
  );
  assert.equal(bridge.items.get(key)?.record, 'junk');
  assert.deepEqual(instance.told('rejected'), [{ type: 'rejected', what: 'record', reason: 'malformed' }]);
});

const encoder = new TextEncoder();

/** A record with false header parameters or claims, signed with the true key unless another is given. */
async function forge(
  header: Record<string, unknown>,
  claims: Record<string, unknown> = {},
  secret?: Uint8Array,
): Promise<string> {
  const all = { sub: ID, aud: 'default', ver: 7, iat: 1, ini: 1, data: { userId: 'evil' }, ...claims };
  return forgePayload(JSON.stringify(all), header, secret);
}

async function forgePayload(
  payload: string,
  header: Record<string, unknown> = {},
  secret?: Uint8Array,
): Promise<string> {
  const [key] = await deriveSigningKeys([SECRET]);
  assert.ok(key?.signing);
  // What is false in it is the point.
  const all = { alg: 'HS256', kid: key.kid, typ: 'memsession+jwt', ...header } as CompactJWSHeaderParameters;
  return new CompactSign(encoder.encode(payload))
    .setProtectedHeader(all)
    .sign(secret ?? key.signing, { crit: { b64: true } });
}

/** The record with other header parameters, which its signature no longer covers. */
async function forgeHeader(changes: Record<string, unknown>, text: string): Promise<string> {
  const [header = '', ...rest] = text.split('.');
  const parsed = JSON.parse(new TextDecoder().decode(base64url.decode(header))) as object;
  return [base64url.encode(JSON.stringify({ ...parsed, ...changes })), ...rest].join('.');
}

/** What a bridge holds that one session was saved through. */
function onlyItem({ items }: MemoryBridge): [key: string, item: StoredItem] {
  const [first] = items;
  assert.ok(first !== undefined && items.size === 1);
  return first;
}
