import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { createSessionManager, type SessionOptions } from '../../packages/client/src/index.ts';
import { createNodeSessions } from '../../packages/client/src/node.ts';
import { createRecordCodec } from '../../packages/client/src/record.ts';
import { createSealer } from '../../packages/client/src/seal.ts';
import { systemClock, systemRandom } from '../../packages/client/src/platform.ts';
import { resolveOptions } from '../../packages/client/src/settings.ts';
import { BRIDGE_SECRET, SECRET } from '../support/client-instance.ts';

const GOOD = { secret: SECRET, bridgeUrl: 'http://bridge.test', bridgeSecret: BRIDGE_SECRET };
const JWK = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
const run = (): undefined => undefined;

/** Options as JavaScript or a configuration file gives them, which no compiler has seen. */
function make(given: unknown): () => unknown {
  // The compiler must not know what is wrong with them.
  return () => createSessionManager(given as SessionOptions);
}

/** Whether it is a TypeError whose message has these words and none of the secrets. */
function names(...words: readonly string[]): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TypeError, String(error));
    for (const word of words) assert.ok(error.message.includes(word), `${word}: ${error.message}`);
    for (const secret of [SECRET, BRIDGE_SECRET, 'hush']) assert.ok(!error.message.includes(secret));
    return true;
  };
}

/** What is given → words that the error says. */
const REFUSED: readonly (readonly [given: object, ...words: string[]])[] = [
  [{ protection: 'encrypted' }, 'protection', '"sign"', '"encrypt"'],
  [{ protection: 'Encrypt' }, 'protection', '"encrypt"'],
  [{ protection: null }, 'protection', '"encrypt"'],
  [{ fallback: 'never' }, 'fallback', '"cookie"', '"none"'],
  [{ fallback: false }, 'fallback', '"none"'],
  [{ backup: 'later' }, 'backup', '"await"', '"after"'],
  [{ onConflict: 'mine' }, 'onConflict', '"merge"', '"reject"', 'function'],
  [{ protect: 'encrypt' }, 'protect.', 'protection'],
  [{ constructor: run }, 'constructor'],
  [{ toString: run }, 'toString'],
  [{ onError: run }, 'onError'],
  [{ secret: 5 }, 'secret'],
  [{ secret: [SECRET, 5] }, 'secret', 'list'],
  [{ bridgeUrl: new URL('http://bridge.test') }, 'bridgeUrl', 'text'],
  [{ bridgeSecret: ['hush'.repeat(10)] }, 'bridgeSecret', 'text'],
  [{ secret: 'hush' }, 'secret', 'SESSION_SECRET', '32 bytes'],
  [{ bridgeUrl: 'localhost:4780' }, 'bridgeUrl', 'BRIDGE_URL', 'http://'],
  [{ bridgeSecret: 'hush' }, 'bridgeSecret', 'BRIDGE_SECRET', '32 bytes'],
  [{ bridgeSecret: `${BRIDGE_SECRET},${SECRET}` }, 'bridgeSecret', 'one secret'],
  [{ bridgeSecret: SECRET }, 'bridgeSecret', 'another', 'SESSION_SECRET'],
  [{ app: 5 }, 'app', 'text'],
  [{ app: 'My shop' }, 'app', 'SESSION_APP', 'a-z'],
  [{ ttl: '5' }, 'ttl', 'whole number'],
  [{ touchAfter: '5' }, 'touchAfter', 'seconds'],
  [{ maxStale: '5' }, 'maxStale', 'seconds'],
  [{ maxStale: Number.NaN }, 'maxStale', 'seconds'],
  [{ timeoutMs: Infinity }, 'timeoutMs', 'whole number'],
  [{ maxInFlight: 0 }, 'maxInFlight', 'whole number'],
  [{ maxRecordBytes: 0 }, 'maxRecordBytes', 'whole number'],
  [{ signingKeys: [] }, 'signingKeys', 'at least one', 'leave it out'],
  [{ signingKeys: JWK }, 'signingKeys', 'list'],
  [{ signingKeys: ['hush'] }, 'signingKeys', 'JWK'],
  [{ codec: {} }, 'codec', 'encode', 'decode'],
  [{ codec: { name: '', encode: run, decode: run } }, 'codec', 'name'],
  [{ codec: { name: 'x', encode: run } }, 'codec', 'decode'],
  [{ cookie: 'x' }, 'cookie', 'object'],
  [{ cookie: [] }, 'cookie', 'object'],
  [{ cookie: { samesite: 'lax' } }, 'cookie.samesite', 'sameSite'],
  [{ cookie: { domain: 'example.com' } }, 'cookie.domain'],
  [{ cookie: { name: 5 } }, 'cookie.name', 'letters'],
  [{ cookie: { maxAge: '60' } }, 'cookie.maxAge', 'whole number'],
  [{ cookie: { sameSite: 'bogus' } }, 'cookie.sameSite', '"lax"', '"strict"', '"none"'],
  [{ cookie: { sameSite: 'None', secure: false } }, 'cookie.sameSite', '"none"'],
  [{ cookie: { sameSite: 'none', secure: false } }, 'cookie.sameSite', 'cookie.secure'],
  [{ cookie: { secure: 'yes' } }, 'cookie.secure', '"auto"', 'true', 'false'],
  [{ cache: 5 }, 'cache', 'object'],
  [{ cache: { max: 5 } }, 'cache.max.', 'maxEntries'],
  [{ cache: { maxBytes: 0 } }, 'cache.maxBytes', 'whole number'],
  [{ cache: { maxBytes: '5' } }, 'cache.maxBytes', 'whole number'],
  [{ cache: { maxEntries: Infinity } }, 'cache.maxEntries', 'whole number'],
  [{ onEvent: 'x' }, 'onEvent', 'function'],
  [{ waitUntil: {} }, 'waitUntil', 'function'],
  [{ fetch: 'x' }, 'fetch', 'function'],
  [{ random: 4 }, 'random', 'function'],
  [{ bridgeToken: 'hush' }, 'bridgeToken', 'function'],
  [{ clock: Date }, 'clock', 'now', 'after'],
  [{ sealer: {} }, 'sealer', 'unseal'],
  [{ recordCodec: {} }, 'recordCodec', 'verify'],
  [{ holder: 'x' }, 'holder', 'object'],
];

for (const [given, ...words] of REFUSED) {
  const [field = ''] = words;
  test(`${field} is refused by name in ${inspect(given, { breakLength: Infinity })}`, () => {
    assert.throws(make({ ...GOOD, ...given }), names(...words));
  });
}

test('a bridge secret that comes with the line break of its file is the same one', () => {
  assert.equal(resolveOptions({ ...GOOD, bridgeSecret: `${BRIDGE_SECRET}\n` }).bridgeSecret, BRIDGE_SECRET);
});

test('options that are no object are refused', () => {
  for (const given of [null, 'x', [], 5]) assert.throws(make(given), names('options'));
});

test('every option is taken as it is documented', () => {
  const all: Required<SessionOptions> = {
    ...GOOD,
    bridgeUrl: ['http://one.test', 'http://two.test'],
    app: 'shop',
    ttl: 60,
    absoluteTtl: 600,
    touchAfter: 0.5,
    maxStale: Infinity,
    timeoutMs: 500,
    backup: 'after',
    fallback: 'none',
    onConflict: ({ theirs }) => theirs,
    protection: 'encrypt',
    signingKeys: [JWK],
    codec: { name: 'same', encode: (value) => value, decode: (value) => value },
    cookie: { name: 'shop', maxAge: 60, sameSite: 'none', secure: true },
    cache: { maxBytes: 1_000, maxEntries: 10 },
    maxInFlight: 1,
    maxRecordBytes: 1_000,
    onEvent: run,
    waitUntil: run,
    fetch,
    clock: systemClock,
    random: systemRandom,
    bridgeToken: () => 'a.b.c',
    sealer: createSealer([SECRET]),
    recordCodec: createRecordCodec({
      app: 'shop',
      secrets: [SECRET],
      protection: 'sign',
      signingKeys: [],
    }),
    holder: {},
  };
  createSessionManager(all);
  const resolved = resolveOptions(all);
  assert.equal(resolved.protection, 'encrypt');
  assert.equal(resolved.maxStaleMs, Infinity);
  assert.deepEqual(resolved.cookie, all.cookie);
  assert.deepEqual(resolved.cache, all.cache);
});

test('what is given as undefined gets its default', () => {
  const given = { ...GOOD, protection: undefined, cookie: { name: undefined, maxAge: undefined } };
  const cache = { maxBytes: undefined, maxEntries: 10 };
  const resolved = resolveOptions({ ...given, cache });
  assert.equal(resolved.protection, 'sign');
  assert.deepEqual(resolved.cookie, { name: 'session', sameSite: 'lax', secure: 'auto', maxAge: null });
  assert.deepEqual(resolved.cache, { maxBytes: 33_554_432, maxEntries: 10 });
});

test('the (req, res) adapter takes onError, which must be a function, and knows the other names', () => {
  createNodeSessions({ ...GOOD, onError: run });
  const wrong = (given: object) => () => createNodeSessions({ ...GOOD, ...given });
  assert.throws(wrong({ onError: 'x' }), names('onError', 'function'));
  assert.throws(wrong({ onErrors: run }), names('onErrors'));
});
