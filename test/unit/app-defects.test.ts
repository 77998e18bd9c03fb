import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { createApp, routeOf } from '../../packages/bridge/src/app.ts';
import { Authenticator } from '../../packages/bridge/src/auth.ts';
import { watchRequests } from '../../packages/bridge/src/request-watch.ts';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { setUpNodes } from '../support/fake-bridge.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { findLeaks } from '../support/log-check.ts';
import { makeId } from '../support/service.ts';

test('a defect is answered as one, told in the log under the request’s id, and not to the client', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line) => void lines.push(line) });
  const { cluster, store } = await setUpNodes(3).bridge();
  store.read = () => Promise.reject(new Error('what broke inside'));
  const app = createApp({
    store,
    cluster,
    authenticator: new Authenticator({
      apps: new Map([['*', { secrets: [BRIDGE_SECRET] }]]),
      wallClock: Date.now,
    }),
    maxRecordBytes: 1_000,
    whyNotReady: () => null,
    warnings: () => [],
    log,
    watch: watchRequests({
      clock: new FakeClock(),
      log,
      metrics: { requestEnded: () => {} },
      routeOf,
      isStopping: () => false,
    }),
  });
  const id = makeId();
  const headers = { authorization: `Bearer ${await makeToken()}`, 'X-Request-Id': 'the-request' };
  const alone = await app.request(`/v1/sessions/${id}`, { headers });
  const body = JSON.stringify({ operations: [{ method: 'GET', ref: id }] });
  const batch = await app.request('/v1/batch', { method: 'POST', headers, body });
  assert.deepEqual([alone.status, batch.status], [500, 200]);
  const answers = [await alone.text(), await batch.text()];
  for (const answer of answers) {
    assert.match(answer, /"code":"internal"/);
    assert.ok(!answer.includes('broke'));
  }
  const told = lines.filter((line) => line.includes('what broke inside'));
  assert.equal(told.length, 2);
  for (const line of told) assert.match(line, /"requestId":"the-request"/);
  for (const text of [...lines, ...answers]) assert.deepEqual(findLeaks(text, [BRIDGE_SECRET]), []);
});
