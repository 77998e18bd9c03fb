import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, test } from 'node:test';
import { exportJWK, SignJWT } from 'jose';
import { type EmbeddedNode, startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { createInstance, visit } from '../support/client-instance.ts';
import { AMBIGUOUS_REQUESTS } from '../support/odd-requests.ts';
import { sendRaw } from '../support/raw-http.ts';
import {
  ADMIN_TOKEN,
  makeId,
  operationsUnderWay,
  type RunningBridge,
  startBridge,
} from '../support/service.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: EmbeddedNode[] = [];

before(async () => {
  nodes = await Promise.all(Array.from({ length: 3 }, () => startEmbeddedNode()));
});
after(async () => {
  for (const node of nodes) await node.close();
});

function start(overrides: Parameters<typeof startBridge>[1] = {}): Promise<RunningBridge> {
  return startBridge(
    nodes.map(({ port }) => port),
    { nodeTimeoutMs: 5_000, ...overrides },
  );
}

test('requests that two servers could read differently are refused, and nothing behind them is served', async () => {
  await using bridge = await start();
  for (const vector of AMBIGUOUS_REQUESTS) {
    const { statuses, isClosed } = await sendRaw(bridge.url, vector);
    assert.deepEqual([statuses, isClosed], [[400], true], JSON.stringify(vector.slice(0, 110)));
  }
  const large = await sendRaw(
    bridge.url,
    `GET /healthz HTTP/1.1\r\nHost: bridge\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`,
  );
  assert.deepEqual([large.statuses, large.isClosed], [[431], true]);
});

test('a body over the limit is refused while it comes, announced or not', async () => {
  await using bridge = await start();
  const token = await makeToken();
  const head = (fields: string): string =>
    `PUT /v1/sessions/${makeId()} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer ${token}\r\n` +
    `Session-Version: 1\r\nIf-None-Match: *\r\nSession-TTL: 60\r\n${fields}\r\n\r\n`;
  const behind = 'GET /healthz HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n';
  const body = 'x'.repeat(10 * 1_048_576);
  const chunk = `100000\r\n${'x'.repeat(0x10_0000)}\r\n`;
  const before = process.memoryUsage().rss;
  // What is too much is read and thrown away: closed at once, the client might never see why.
  for (const request of [
    `${head(`Content-Length: ${body.length}`)}${body}`,
    `${head('Transfer-Encoding: chunked')}${chunk.repeat(10)}0\r\n\r\n`,
  ]) {
    // That must not take long; where a busy machine takes longer, it is closed after half a second.
    await waitUntil(async () => {
      const { statuses, isClosed } = await sendRaw(bridge.url, request + behind, 20_000);
      assert.deepEqual([statuses[0], isClosed], [413, true]);
      return statuses[1] === 200;
    }, 'the next request on the connection is answered');
  }
  for (const request of [
    `${head('Content-Length: 10485760')}x`,
    head('Transfer-Encoding: chunked') + chunk,
  ]) {
    const { statuses, isClosed, tookMs } = await sendRaw(bridge.url, request, 20_000);
    assert.deepEqual([statuses, isClosed], [[413], true]);
    assert.ok(tookMs < 9_000, 'what does not come is not waited for');
  }
  // Most of what is measured here are the bodies that this test itself has made.
  assert.ok(process.memoryUsage().rss - before < 80 * 1_048_576);
  assert.equal((await bridge.client.get(makeId())).status, 404);
});

test('a request that says nothing about a body has an empty one, and what comes behind it is answered', async () => {
  await using bridge = await start();
  const id = makeId();
  const fields = `Host: bridge\r\nAuthorization: Bearer ${await makeToken()}\r\nSession-TTL: 60\r\n`;
  const save = `PUT /v1/sessions/${id} HTTP/1.1\r\n${fields}Session-Version: 1\r\nIf-None-Match: *\r\n`;
  const requests = [
    `${save}\r\n`,
    `POST /v1/batch HTTP/1.1\r\n${fields}\r\n`,
    `${save}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    `POST /v1/sessions/${id}/touch HTTP/1.1\r\n${fields}\r\n`,
    `HEAD /v1/sessions/${id} HTTP/1.1\r\n${fields}\r\n`,
    `GET /v1/sessions/${id} HTTP/1.1\r\n${fields}Connection: close\r\n\r\n`,
  ];
  const { statuses, text, isClosed } = await sendRaw(bridge.url, requests.join(''), 20_000);
  assert.deepEqual([statuses, isClosed], [[400, 400, 201, 204, 200, 200], true]);
  assert.ok(text.endsWith('\r\n\r\nabc'));
});

test('whoever sends too much gets the answer, and not a broken connection', async () => {
  await using bridge = await start();
  for (const bytes of [524_289, 1_500_000, 5_000_000]) {
    const text = 'x'.repeat(bytes);
    const puts = Array.from({ length: 10 }, () =>
      bridge.client.put(makeId(), { version: 1, base: null, text }),
    );
    const statuses = (await Promise.all(puts)).map(({ status }) => status);
    assert.deepEqual(new Set(statuses), new Set([413]), `${bytes}`);
  }
});

test('only records that their app has signed are stored, where its public key is known', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const other = generateKeyPairSync('ed25519');
  const { kty = '', crv = '', x = '' } = await exportJWK(publicKey);
  await using bridge = await start({
    apps: new Map([['shop', { secrets: [BRIDGE_SECRET], publicKeys: [{ kty, crv, x, kid: 'k1' }] }]]),
  });
  const id = makeId();
  const sign = (
    claims: object,
    header: { kid?: string; typ?: string } = {},
    key = privateKey,
  ): Promise<string> =>
    new SignJWT({ sub: id, aud: 'shop', ver: 1, data: {}, ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k1', typ: 'memsession+jwt', ...header })
      .sign(key);
  const garbage = [
    'not signed at all',
    await sign({}, {}, other.privateKey),
    await sign({ sub: makeId() }),
    await sign({ aud: 'blog' }),
    await sign({ ver: 2 }),
    await sign({}, { kid: 'k2' }),
    await sign({}, { typ: 'JWT' }),
    (await sign({})).slice(0, -4),
  ];
  for (const text of garbage) {
    const refused = await bridge.client.put(id, { version: 1, base: null, text });
    assert.equal(refused.status, 400, text.slice(0, 20));
    assert.match(refused.text, /body|record/);
  }
  assert.equal((await bridge.client.get(id)).status, 404);
  assert.equal((await bridge.client.put(id, { version: 1, base: null, text: await sign({}) })).status, 201);
});

for (const algorithm of ['EdDSA', 'ES256'] as const) {
  test(`a client that signs with ${algorithm} is stored where its public key is known, and no other`, async () => {
    const kind =
      algorithm === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const stranger =
      algorithm === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { kty = '', crv = '', x = '', y } = await exportJWK(kind.publicKey);
    const publicKeys = [{ kty, crv, x, ...(y === undefined ? {} : { y }) }];
    await using bridge = await start({ apps: new Map([['shop', { secrets: [BRIDGE_SECRET], publicKeys }]]) });
    const options = { app: 'shop', bridgeUrl: bridge.url, bridgeSecret: BRIDGE_SECRET };
    const mine = { ...options, signingKeys: [await exportJWK(kind.privateKey)] };
    const browser = new TestBrowser();
    await visit(createInstance(fetch, mine), browser, async (session) => {
      session.userId = '42';
      await session.save();
    });
    assert.equal(await visit(createInstance(fetch, mine), browser, (session) => session.userId), '42');
    const others = { ...options, signingKeys: [await exportJWK(stranger.privateKey)] };
    const refused = visit(createInstance(fetch, others), new TestBrowser(), async (session) => {
      session.userId = '43';
      await session.save();
    });
    await assert.rejects(refused, { code: 'invalid_request' });
  });
}

test('an app over its limit gets 429, a bridge over its own 503, and health is always answered', async () => {
  await using bridge = await start({
    adminTokens: [ADMIN_TOKEN],
    apps: new Map([['*', { secrets: [BRIDGE_SECRET], maxInFlight: 4 }]]),
    maxInFlight: 6,
    maxQueueMs: 20,
    nodeTimeoutMs: 30_000,
  });
  for (const node of nodes) await node.inject({ kind: 'hang' });
  const answers: { app: string; status: number; retryAfter: string | null; text: string }[] = [];
  const ask = async (app: string): Promise<void> => {
    const headers = { authorization: `Bearer ${await makeToken({ app })}` };
    const response = await fetch(`${bridge.url}/v1/sessions/${makeId()}`, { headers });
    const retryAfter = response.headers.get('retry-after');
    answers.push({ app, status: response.status, retryAfter, text: await response.text() });
  };
  const mine = Array.from({ length: 8 }, () => ask('shop'));
  await waitUntil(() => answers.length === 4, 'the app has as much as it may');
  assert.equal(await operationsUnderWay(bridge), 4);
  const theirs = Array.from({ length: 4 }, () => ask('blog'));
  await waitUntil(() => answers.length === 6, 'the bridge has as much as it may');
  assert.equal(await operationsUnderWay(bridge), 6);
  assert.equal((await fetch(`${bridge.url}/healthz`)).status, 200);
  for (const [index, { app, status, retryAfter, text }] of answers.entries()) {
    const isOwnLimit = index < 4;
    assert.deepEqual([app, status], isOwnLimit ? ['shop', 429] : ['blog', 503]);
    assert.match(text, isOwnLimit ? /"rate_limited"/ : /"overloaded"/);
    assert.equal(retryAfter, '1');
  }
  for (const node of nodes) await node.heal();
  await Promise.all([...mine, ...theirs]);
  assert.deepEqual(
    answers.slice(6).map(({ status }) => status),
    [404, 404, 404, 404, 404, 404],
  );
});
