import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findLeaks, LogCheck } from '../support/log-check.ts';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';

test('a session id, a token, a record and a secret are found wherever they stand', () => {
  const leaks = [
    ID,
    `${ID}.0`,
    `GET /v1/sessions/${ID}.12 404`,
    `{"ref":"${ID}.0"}`,
    `shop:${ID}`,
    'eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJzaG9wIn0.c2ln',
    'authorization: Bearer abc',
    'the secret of the shop',
  ];
  for (const text of leaks) assert.ok(findLeaks(text, ['secret of the shop']).length > 0, text);
});

test('request ids, traces and numbers are none of them', () => {
  const good = [
    '{"requestId":"4bf92f35-77b3-4da6-a3ce-929d0e0e4736"}',
    '{"traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}',
    'memsession_connections 12345678901234567890',
    '{"msg":"node 0 is down","reason":"timeout"}',
  ];
  for (const text of good) assert.deepEqual(findLeaks(text, ['secret']), [], text);
});

test('what is cut into pieces on its way is found all the same', () => {
  const check = new LogCheck([]);
  for (const piece of ['{"ref":"', ID.slice(0, 10), ID.slice(10), '"}\n{"msg":"fine"}']) check.write(piece);
  assert.throws(() => check.assertClean(), /a session id/);
  assert.equal(check.lines, 2);
});
