import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatEtag,
  formatRef,
  parseEtag,
  parseRef,
  parseTtlSeconds,
  parseVersion,
} from '@memsession/client/protocol';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';

test('a ref is read with and without its index', () => {
  assert.deepEqual(parseRef(`${ID}.2`), { id: ID, index: 2 });
  assert.deepEqual(parseRef(ID), { id: ID, index: null });
  assert.equal(formatRef({ id: ID, index: 0 }), `${ID}.0`);
});

test('what is not exactly a ref is none', () => {
  for (const text of [
    '',
    ID.toLowerCase(),
    `${ID}.`,
    `${ID}.-1`,
    `${ID}.12345`,
    `${ID}.1 `,
    `${ID}A`,
    `${ID}\n`,
    `${ID}.1\n`,
  ]) {
    assert.equal(parseRef(text), null, JSON.stringify(text));
  }
});

test('any text is parsed without an exception', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      parseRef(text);
      parseEtag(text);
      parseVersion(text);
      parseTtlSeconds(text);
    }),
  );
});

test('versions run from 1 to 2^31 and lifetimes to 30 days', () => {
  assert.equal(parseVersion('2147483648'), 2 ** 31);
  assert.equal(parseVersion('2147483649'), null);
  assert.equal(parseVersion('0'), null);
  assert.equal(parseTtlSeconds('2592000'), 2_592_000);
  assert.equal(parseTtlSeconds('2592001'), null);
  assert.equal(parseTtlSeconds('1.5'), null);
});

test('an entity tag survives being weakened by a proxy', () => {
  assert.equal(formatEtag(14), '"14"');
  assert.equal(parseEtag('"14"'), 14);
  assert.equal(parseEtag('W/"14"'), 14);
  assert.equal(parseEtag('14'), null);
});
