import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { base64url, exportJWK, SignJWT } from 'jose';
import { AdminAccess } from '../../packages/bridge/src/admin-access.ts';
import { type EmbeddedNode, startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { otherSpellings } from '../support/odd-requests.ts';
import { type RawReply, sendRaw } from '../support/raw-http.ts';
import { makeId, type RunningBridge, startBridge } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: EmbeddedNode[] = [];
let folder = '';

before(async () => {
  nodes = await Promise.all(Array.from({ length: 3 }, () => startEmbeddedNode()));
  folder = await mkdtemp(join(tmpdir(), 'memsession-'));
});
after(async () => {
  for (const node of nodes) await node.close();
  await rm(folder, { recursive: true });
});

function start(overrides: Parameters<typeof startBridge>[1] = {}): Promise<RunningBridge> {
  return startBridge(
    nodes.map(({ port }) => port),
    { nodeTimeoutMs: 5_000, ...overrides },
  );
}

function send(
  bridge: RunningBridge,
  authorization: string,
  path = `/v1/sessions/${makeId()}`,
): Promise<Response> {
  return fetch(`${bridge.url}${path}`, { headers: { authorization } });
}

const encode = (value: object): string => base64url.encode(JSON.stringify(value));

/** A token with any header, signed with any key by HMAC. */
function forge(header: object, key: string | Buffer = BRIDGE_SECRET, claims: object = {}): string {
  const now = Math.floor(Date.now() / 1_000);
  const payload = {
    iss: 'shop',
    aud: 'memsession-bridge',
    scope: 'session',
    iat: now,
    exp: now + 60,
    ...claims,
  };
  const signed = `${encode(header)}.${encode(payload)}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

test('a token is only believed with the one algorithm and the secrets that were configured', async () => {
  await using bridge = await start();
  assert.equal((await send(bridge, `Bearer ${forge({ alg: 'HS256' })}`)).status, 404, 'the forger can sign');
  let asked = 0;
  const trap = createServer((_, response) => {
    asked += 1;
    response.end('{"keys":[]}');
  }).listen(0, '127.0.0.1');
  await waitUntil(() => trap.listening, 'the trap listens');
  const address = trap.address();
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`;
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const jwk = { kty: 'oct', k: base64url.encode(BRIDGE_SECRET) };
  const signedByRsa = await new SignJWT({ scope: 'session' })
    .setProtectedHeader({ alg: 'RS256', jwk: await exportJWK(publicKey) })
    .setIssuer('shop')
    .setAudience('memsession-bridge')
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey);
  const [head, body] = forge({ alg: 'none' }).split('.');
  const tokens = [
    `${head}.${body}.`,
    `${head}.${body}`,
    forge({ alg: 'none' }),
    forge({ alg: 'HS384' }),
    forge({ alg: 'HS512' }),
    forge({ alg: 'RS256' }, pem),
    forge({ alg: 'HS256' }, pem),
    forge({ alg: 'HS256' }, ''),
    forge({ alg: 'HS256', crit: ['exp'] }),
    forge({ alg: 'HS256', b64: false, crit: ['b64'] }),
    forge({ alg: 'HS256', jku: url, kid: '__proto__' }, 'other'),
    forge({ alg: 'HS256', jwk }, 'other'),
    forge({ alg: 'HS256', x5u: url }, 'other'),
    forge({ alg: 'PBES2-HS256+A128KW', enc: 'A128GCM', p2c: 1e9, p2s: 'x' }),
    `${encode({ alg: 'dir', enc: 'A256GCM', zip: 'DEF' })}..AAAA.AAAA.AAAA`,
    signedByRsa,
  ];
  for (const token of tokens) {
    const began = performance.now();
    assert.equal((await send(bridge, `Bearer ${token}`)).status, 401, token.slice(0, 60));
    assert.ok(performance.now() - began < 5_000, 'no iteration count of a stranger is worked off');
  }
  assert.equal(asked, 0, 'no key is fetched from anywhere');
  trap.close();
});

test('claims that are wrong in kind or value are refused', async () => {
  await using bridge = await start();
  const now = Math.floor(Date.now() / 1_000);
  const wrong: Record<string, unknown>[] = [
    { exp: 'x' },
    { exp: `${now + 60}` },
    { exp: null },
    { exp: now - 31 },
    { exp: now + 9_999 },
    { exp: Number.MAX_SAFE_INTEGER },
    { nbf: now + 60 },
    { nbf: 'soon' },
    { iat: now + 60, exp: now + 120 },
    { iat: undefined },
    { iss: undefined },
    { iss: '*' },
    { iss: '__proto__' },
    { iss: ['shop'] },
    { iss: 123 },
    { iss: true },
    { iss: null },
    { iss: 'Shop' },
    { iss: 'shop:x' },
    { aud: 'other' },
    { aud: undefined },
    { aud: ['other'] },
  ];
  for (const claims of wrong) {
    const token = forge({ alg: 'HS256' }, BRIDGE_SECRET, claims);
    assert.equal((await send(bridge, `Bearer ${token}`)).status, 401, JSON.stringify(claims));
  }
  for (const scope of ['', 'sessions', 'admin', undefined, ['session']]) {
    const token = forge({ alg: 'HS256' }, BRIDGE_SECRET, { scope });
    assert.equal((await send(bridge, `Bearer ${token}`)).status, 403, String(scope));
  }
});

test('schemes, paths and encodings lead nowhere without a token', async () => {
  await using bridge = await start();
  const token = await makeToken();
  for (const authorization of [
    `Basic ${token}`,
    token,
    `bearer  ${token}`,
    `Bearer ${token} x`,
    `Bearer ${token},`,
    `Token ${token}`,
  ])
    assert.equal((await send(bridge, authorization)).status, 401, authorization.slice(0, 12));
  const id = makeId();
  await bridge.client.put(id, { version: 1, base: null, text: 'protected' });
  const paths = [
    `//v1/sessions/${id}`,
    `/%76%31/sessions/${id}`,
    `/%761/sessions/${id}`,
    `/v1%2fsessions%2f${id}`,
    `/v1/../v1/sessions/${id}`,
    `/v1/%2e%2e/v1/sessions/${id}`,
    `/healthz/../v1/sessions/${id}`,
    `/v1/sessions/${id}/`,
    `/V1/sessions/${id}`,
    `/v1/./sessions/${id}`,
    `/v1/sessions/${id}#x`,
    `/v1/sessions/${id}?x`,
    `/v1;/sessions/${id}`,
    `/v1\\sessions\\${id}`,
    `http://other/v1/sessions/${id}`,
    `*`,
  ];
  for (const path of paths) {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const request = `${method} ${path} HTTP/1.1\r\nHost: bridge\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
      const { statuses, text } = await sendRaw(bridge.url, request);
      assert.equal(statuses.length, 1, path);
      assert.ok([400, 401, 404].includes(statuses[0] ?? 0), `${method} ${path}: ${statuses.join()}`);
      assert.ok(!text.includes('protected'));
    }
  }
  assert.equal((await bridge.client.get(id)).text, 'protected');
});

test('even with a good token a path leads somewhere in one spelling only', async () => {
  await using bridge = await start();
  const token = await makeToken();
  const id = makeId();
  await bridge.client.put(id, { version: 1, base: null, text: 'protected' });
  const ask = async (target: string): Promise<RawReply> =>
    sendRaw(
      bridge.url,
      `GET ${target} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
    );
  assert.deepEqual((await ask(`/v1/sessions/${id}`)).statuses, [200]);
  assert.deepEqual((await ask(`/v1/sessions/${id}?trace=%20x#y`)).statuses, [404]);
  assert.deepEqual((await ask(`/v1/sessions/${id}?trace=%20x`)).statuses, [200]);
  for (const target of otherSpellings(id)) {
    const { statuses, text } = await ask(target);
    assert.deepEqual(statuses, [404], target);
    assert.match(text, /"code":"no_route"/, target);
  }
});

test('a stolen token of one app reaches nothing of another', async () => {
  const shop = 'the secret of the shop of at least 32 bytes';
  const blog = 'the secret of the blog of at least 32 bytes';
  await using bridge = await start({
    apps: new Map([
      ['shop', { secrets: [shop] }],
      ['blog', { secrets: [blog] }],
    ]),
  });
  const id = makeId();
  const headers = { 'Session-Version': '1', 'If-None-Match': '*', 'Session-TTL': '60' };
  const shopToken = await makeToken({ app: 'shop', secret: shop });
  const stored = await fetch(`${bridge.url}/v1/sessions/${id}`, {
    method: 'PUT',
    headers: { ...headers, authorization: `Bearer ${shopToken}` },
    body: 'of the shop',
  });
  assert.equal(stored.status, 201);
  const thief = await makeToken({ app: 'blog', secret: blog });
  assert.equal((await send(bridge, `Bearer ${thief}`, `/v1/sessions/${id}`)).status, 404);
  const forged = await makeToken({ app: 'shop', secret: blog });
  assert.equal((await send(bridge, `Bearer ${forged}`, `/v1/sessions/${id}`)).status, 401);
  const other = await makeToken({ app: 'other', secret: blog });
  assert.equal((await send(bridge, `Bearer ${other}`, `/v1/sessions/${id}`)).status, 401);
});

test('an app whose name reads as a number is reached with its own secret only', async () => {
  const own = 'the secret of app 42 of at least 32 bytes';
  await using bridge = await start({
    apps: new Map([
      ['42', { secrets: [own] }],
      ['*', { secrets: [BRIDGE_SECRET] }],
    ]),
  });
  const path = `/v1/sessions/${makeId()}`;
  assert.equal(
    (await send(bridge, `Bearer ${forge({ alg: 'HS256' }, own, { iss: '42' })}`, path)).status,
    404,
  );
  for (const iss of ['42', 42]) {
    const token = forge({ alg: 'HS256' }, BRIDGE_SECRET, { iss });
    assert.equal((await send(bridge, `Bearer ${token}`, path)).status, 401, typeof iss);
  }
});

test('a secret that is taken out of the file is worth nothing as soon as the file is read', async () => {
  const path = join(folder, 'apps');
  const old = 'the old secret of the shop with over 32 bytes';
  const next = 'the new secret of the shop with over 32 bytes';
  await writeFile(path, JSON.stringify({ shop: { secrets: [old] } }));
  await using bridge = await start({
    appsFile: path,
    apps: new Map([['shop', { secrets: [old] }]]),
    sharedSecrets: [],
  });
  const oldToken = `Bearer ${await makeToken({ secret: old })}`;
  const newToken = `Bearer ${await makeToken({ secret: next })}`;
  assert.equal((await send(bridge, oldToken)).status, 404);
  await writeFile(path, JSON.stringify({ shop: { secrets: [next, old] } }));
  await waitUntil(async () => (await send(bridge, newToken)).status === 404, 'the new one is known', 20_000);
  assert.equal((await send(bridge, oldToken)).status, 404, 'both are in force');

  await writeFile(path, JSON.stringify({ shop: { secrets: [next] } }));
  await waitUntil(
    async () => (await send(bridge, oldToken)).status === 401,
    'the old one is refused',
    20_000,
  );
  assert.equal((await send(bridge, newToken)).status, 404);

  await writeFile(path, '{ "shop": {');
  await waitUntil(
    async () => (await (await fetch(`${bridge.url}/readyz`)).text()).includes('apps_invalid'),
    'the problem is told',
  );
  assert.equal((await send(bridge, newToken)).status, 404, 'the last good ones stay');
});

test('how much of a token is right cannot be seen from the time it takes', () => {
  const right = 'x'.repeat(64);
  const access = new AdminAccess({
    tokens: [right, 'y'.repeat(64)],
    wallClock: Date.now,
    log: { warn: () => {} },
  });
  // What leaks shows each time; what other programs on the machine do, does not.
  const differences = Array.from({ length: 3 }, () => Math.abs(compareTimes(access)));
  assert.ok(Math.min(...differences) < 4.5, differences.join(' '));
});

/** Welch's t of the times that a token takes which is wrong at its end, and one wrong from its beginning. */
function compareTimes(access: AdminAccess): number {
  const near = { token: `${'x'.repeat(63)}y`, samples: [] as number[] };
  const far = { token: 'z'.repeat(64), samples: [] as number[] };
  for (let round = 0; round < 22_000; round += 1) {
    for (const { token, samples } of round % 2 === 0 ? [near, far] : [far, near]) {
      const began = process.hrtime.bigint();
      access.isToken(token);
      const took = Number(process.hrtime.bigint() - began);
      // The first rounds are those of the compiler, the longest those of other programs.
      if (round >= 2_000 && took < 50_000) samples.push(took);
    }
  }
  return welch(near.samples, far.samples);
}

/** Welch's t of two samples. */
function welch(a: readonly number[], b: readonly number[]): number {
  const describe = (values: readonly number[]): { mean: number; variance: number } => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      mean,
      variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1),
    };
  };
  const [x, y] = [describe(a), describe(b)];
  return (x.mean - y.mean) / Math.sqrt(x.variance / a.length + y.variance / b.length);
}
