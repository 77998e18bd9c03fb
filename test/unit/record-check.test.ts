import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { exportJWK } from 'jose';
import { RecordCheck } from '../../packages/bridge/src/record-check.ts';

const SECRETS = ['a bridge secret of at least 32 bytes'];

test('an app that is named has its own rules only: the keys of the star are for the others', async () => {
  const { x = '' } = await exportJWK(generateKeyPairSync('ed25519').publicKey);
  const publicKeys = [{ kty: 'OKP', crv: 'Ed25519', x }];
  const check = new RecordCheck(
    new Map([
      ['shop', { secrets: SECRETS }],
      ['*', { secrets: SECRETS, publicKeys }],
    ]),
  );
  const claim = { id: 'A'.repeat(32), version: 1, record: Buffer.from('signed by nobody') };
  assert.equal(await check.isGenuine({ app: 'shop', ...claim }), true);
  assert.equal(await check.isGenuine({ app: 'blog', ...claim }), false);
});
