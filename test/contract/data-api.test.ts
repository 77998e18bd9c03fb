import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { makeToken, setUpApp, type TestApp } from '../support/app.ts';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';
const PATH = `/v1/sessions/${ID}`;

function put(
  app: TestApp,
  version: number,
  base: number | null,
  body: string = `record ${version}`,
): Promise<Response> {
  const precondition: Record<string, string> =
    base === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${base}"` };
  return app.send('PUT', PATH, {
    headers: { 'Session-Version': `${version}`, 'Session-TTL': '60', ...precondition },
    body,
  });
}

async function codeOf(response: Response): Promise<string> {
  const body = (await response.json()) as { error: { code: string } };
  return body.error.code;
}

test('a session is created, read, changed and destroyed', async () => {
  const app = await setUpApp();
  const created = await put(app, 1, null);
  assert.equal(created.status, 201);
  assert.equal(created.headers.get('ETag'), '"1"');
  assert.equal(created.headers.get('Session-Copies'), '2');
  const ref = created.headers.get('Session-Ref') ?? '';
  assert.match(ref, new RegExp(`^${ID}\\.[0-2]$`));

  const read = await app.send('GET', `/v1/sessions/${ref}`);
  assert.equal(read.status, 200);
  assert.equal(read.headers.get('Cache-Control'), 'no-store');
  assert.equal(await read.text(), 'record 1');

  assert.equal((await put(app, 2, 1)).status, 200);
  assert.equal((await app.send('GET', PATH, { headers: { 'If-None-Match': '"2"' } })).status, 304);
  assert.equal((await app.send('POST', `${PATH}/touch`, { headers: { 'Session-TTL': '60' } })).status, 204);

  assert.equal((await app.send('DELETE', PATH, { headers: { 'Session-TTL': '60' } })).status, 204);
  assert.equal((await app.send('DELETE', PATH, { headers: { 'Session-TTL': '60' } })).status, 204);
  const gone = await app.send('GET', PATH);
  assert.equal(gone.status, 410);
  assert.equal(await codeOf(gone), 'session_gone');
  assert.equal((await put(app, 3, 2)).status, 410);
  assert.equal((await put(app, 1, null)).status, 410);
  assert.equal((await app.send('POST', `${PATH}/touch`, { headers: { 'Session-TTL': '60' } })).status, 410);
});

test('a save on an old version gets the current record', async () => {
  const app = await setUpApp();
  await put(app, 1, null);
  await put(app, 2, 1, 'newer');
  const late = await put(app, 2, 1, 'late');
  assert.equal(late.status, 412);
  assert.equal(late.headers.get('ETag'), '"2"');
  assert.match(late.headers.get('Session-Ref') ?? '', /\.[0-2]$/);
  assert.equal(await late.text(), 'newer');
});

test('absent is said only for certain', async () => {
  const app = await setUpApp();
  assert.equal(await codeOf(await app.send('GET', PATH)), 'session_not_found');
  assert.equal((await put(app, 2, 1)).status, 404);
  for (const node of app.nodes) node.fault = 'unreachable';
  const unknown = await app.send('GET', PATH);
  assert.equal(unknown.status, 503);
  assert.equal(unknown.headers.get('Retry-After'), '1');
  assert.equal(await codeOf(unknown), 'nodes_unavailable');
});

test('what is out of range is refused with the name of the field, and nothing is sent to a node', async () => {
  const app = await setUpApp();
  const before = app.nodes.map((node) => [...node.calls.values()].reduce((sum, calls) => sum + calls, 0));
  const ok = { 'Session-Version': '1', 'If-None-Match': '*', 'Session-TTL': '60' };
  const wrong: [string, string, Record<string, string>, string, string][] = [
    ['GET', '/v1/sessions/nonsense', {}, '', 'ref in the path'],
    ['GET', `/v1/sessions/${ID}.12345`, {}, '', 'ref in the path'],
    ['GET', PATH, { 'Session-Min-Version': '0' }, '', 'Session-Min-Version'],
    ['GET', PATH, { 'If-None-Match': '"x"' }, '', 'If-None-Match'],
    ['PUT', PATH, { ...ok, 'Session-Version': '4294967296' }, 'x', 'Session-Version'],
    ['PUT', PATH, { ...ok, 'Session-TTL': '2592001' }, 'x', 'Session-TTL'],
    ['PUT', PATH, { ...ok, 'Session-TTL': '1.5' }, 'x', 'Session-TTL'],
    ['PUT', PATH, { ...ok, 'If-Match': '"0"' }, 'x', 'If-Match'],
    ['PUT', PATH, { 'Session-Version': '2', 'If-Match': '"2"', 'Session-TTL': '60' }, 'x', 'Session-Version'],
    ['PUT', PATH, { 'Session-Version': '2', 'Session-TTL': '60' }, 'x', 'If-Match'],
    ['PUT', PATH, ok, '', 'body'],
    ['POST', `${PATH}/touch`, {}, '', 'Session-TTL'],
    ['DELETE', PATH, {}, '', 'Session-TTL'],
  ];
  for (const [method, path, headers, body, field] of wrong) {
    const response = await app.send(method, path, { headers, ...(method === 'GET' ? {} : { body }) });
    assert.equal(response.status, 400, `${method} ${path} ${JSON.stringify(headers)}`);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    assert.equal(error.code, 'invalid_request');
    assert.ok(error.message.startsWith(field), `${error.message} names ${field}`);
  }
  assert.deepEqual(
    app.nodes.map((node) => [...node.calls.values()].reduce((sum, calls) => sum + calls, 0)),
    before,
  );
});

test('a record over the limit is refused while it is read and the old one stays', async () => {
  const app = await setUpApp({ maxRecordBytes: 2_000 });
  await put(app, 1, null);
  const large = await put(app, 2, 1, 'x'.repeat(2_001));
  assert.equal(large.status, 413);
  assert.equal(await codeOf(large), 'record_too_large');
  assert.equal(await (await app.send('GET', PATH)).text(), 'record 1');
});

test('a batch answers each operation in its place', async () => {
  const app = await setUpApp();
  await put(app, 1, null);
  const other = `${ID.slice(0, 31)}0`;
  const operations = [
    { method: 'GET', ref: ID },
    { method: 'GET', ref: ID, ifNoneMatch: 1 },
    { method: 'GET', ref: 'nonsense' },
    { method: 'PUT', ref: other, version: 5, ifNoneMatch: '*', ttl: 60, record: 'ä record' },
    { method: 'PUT', ref: ID, version: 10, ifMatch: 9, ttl: 60, record: 'x' },
    { method: 'TOUCH', ref: ID, ttl: 60 },
    { method: 'DELETE', ref: '0'.repeat(32), ttl: 60 },
    { method: 'STEAL', ref: ID },
    { method: 'TOUCH', ref: ID, ttl: 60, record: 'not used' },
  ];
  const response = await app.send('POST', '/v1/batch', { body: JSON.stringify({ operations }) });
  assert.equal(response.status, 200);
  const { results } = (await response.json()) as {
    results: { status: number; record?: string; version?: number }[];
  };
  assert.deepEqual(
    results.map(({ status }) => status),
    [200, 304, 400, 201, 412, 204, 204, 400, 400],
  );
  assert.equal(results[0]?.record, 'record 1');
  assert.equal(results[4]?.record, 'record 1', 'a conflict carries the current record');
  assert.equal(await (await app.send('GET', `/v1/sessions/${other}`)).text(), 'ä record');
});

test('a batch that is none, or too long, is refused as a whole', async () => {
  const app = await setUpApp();
  const many = { operations: Array.from({ length: 129 }, () => ({ method: 'GET', ref: ID })) };
  for (const body of ['', '[]', '{}', '{"operations":{}}', '{"operations":[]}', JSON.stringify(many)]) {
    assert.equal((await app.send('POST', '/v1/batch', { body })).status, 400, body.slice(0, 30));
  }
});

test('what is wrong with a batch or with the conditions of a save is told apart', async () => {
  const app = await setUpApp();
  const explain = async (response: Response): Promise<string> => {
    assert.equal(response.status, 400);
    return response.text();
  };
  assert.match(await explain(await app.send('POST', '/v1/batch', { body: 'not json' })), /JSON/);
  assert.match(await explain(await app.send('POST', '/v1/batch', { body: 'null' })), /operations/);
  const save = async (conditions: Record<string, string>): Promise<string> => {
    const headers = { 'Session-Version': '2', 'Session-TTL': '60', ...conditions };
    return explain(await app.send('PUT', `/v1/sessions/${ID}`, { headers, body: 'record' }));
  };
  assert.match(await save({}), /If-Match.* must be given/);
  assert.match(await save({ 'If-Match': '"1"', 'If-None-Match': '*' }), /only one/);
});

test('what a client sends in the wrong place is not repeated to it', async () => {
  const app = await setUpApp();
  const body = JSON.stringify({
    operations: [{ method: 'GET', ref: ID, [ID]: 1, [`${ID}x`]: 2, ttl: 60, version: 1 }],
  });
  const text = await (await app.send('POST', '/v1/batch', { body })).text();
  assert.match(text, /invalid_request/);
  assert.match(text, /version/, 'what it could have meant is named');
  assert.ok(!text.includes(ID), text);
});

test('a record in a batch that is not text is refused, not changed', async () => {
  const app = await setUpApp();
  const operation = (record: string): string =>
    `{"operations":[{"method":"PUT","ref":"${ID}","version":1,"ifNoneMatch":"*","ttl":60,"record":"${record}"}]}`;
  const half = await app.send('POST', '/v1/batch', { body: operation('\\ud800') });
  assert.match(await half.text(), /"status":400.*record: must be text/);
  const bytes = Buffer.from(operation('\u00ff'), 'latin1');
  assert.equal((await app.send('POST', '/v1/batch', { body: bytes })).status, 400);
  assert.equal((await app.send('GET', PATH)).status, 404);
  const whole = await app.send('POST', '/v1/batch', { body: operation('\u00ff \\ud83d\\ude00') });
  assert.match(await whole.text(), /"status":201/);
});

test('nothing under /v1 is told to whoever has no good token', async () => {
  const app = await setUpApp({
    apps: new Map([
      ['shop', { secrets: ['the new secret of at least 32 bytes!', 'a bridge secret of at least 32 bytes'] }],
    ]),
  });
  const now = Math.floor(Date.now() / 1_000);
  const tokens: [string, string][] = [
    ['no token', ''],
    ['another scheme', `Basic ${await makeToken()}`],
    ['nonsense', 'Bearer a.b.c'],
    ['another secret', `Bearer ${await makeToken({ secret: 'x'.repeat(40) })}`],
    ['an app that is not configured', `Bearer ${await makeToken({ app: 'other' })}`],
    ['an app name that is none', `Bearer ${await makeToken({ app: 'shop:x' })}`],
    ['another audience', `Bearer ${await makeToken({ audience: 'other' })}`],
    ['expired', `Bearer ${await makeToken({ issuedAt: now - 600 })}`],
    ['from the future', `Bearer ${await makeToken({ issuedAt: now + 600 })}`],
    ['too long a life', `Bearer ${await makeToken({ lifeSeconds: 3_600 })}`],
    ['another algorithm', `Bearer ${await makeToken({ algorithm: 'HS512' })}`],
  ];
  for (const [what, authorization] of tokens) {
    for (const path of [PATH, '/v1/nodes', '/v1/batch', '/v1/nothing']) {
      const response = await app.send('GET', path, { headers: { authorization } });
      assert.equal(response.status, 401, `${what} on ${path}`);
      assert.equal(await codeOf(response), 'unauthorized');
    }
  }
  assert.equal(
    (
      await app.send('GET', PATH, {
        headers: { authorization: `Bearer ${await makeToken({ scope: 'other' })}` },
      })
    ).status,
    403,
  );
  const rotated = await makeToken({ secret: 'the new secret of at least 32 bytes!' });
  assert.equal(
    (await app.send('GET', PATH, { headers: { authorization: `Bearer ${rotated}` } })).status,
    404,
  );
});

test('an app sees only its own sessions', async () => {
  const app = await setUpApp();
  await put(app, 1, null);
  const authorization = `Bearer ${await makeToken({ app: 'other' })}`;
  assert.equal((await app.send('GET', PATH, { headers: { authorization } })).status, 404);
});

test('health and readiness need no token, and readiness follows the nodes', async () => {
  const app = await setUpApp();
  assert.equal((await app.send('GET', '/healthz', { headers: { authorization: '' } })).status, 200);
  assert.equal((await app.send('GET', '/readyz')).status, 200);
  for (const node of app.nodes) node.fault = 'unreachable';
  await app.send('GET', PATH);
  assert.equal((await app.send('GET', '/readyz')).status, 503);
  assert.equal((await app.send('GET', '/healthz')).status, 200);
});

test('a path that does not exist says nothing about sessions', async () => {
  const app = await setUpApp();
  assert.equal(await codeOf(await app.send('GET', '/v2/sessions/x')), 'no_route');
  assert.equal(await codeOf(await app.send('GET', '/')), 'no_route');
});

test('no header and no body makes the bridge fail or a node look bad', async () => {
  const app = await setUpApp();
  const text = fc.string({ unit: 'binary', maxLength: 40 });
  const header = text.map((value) => value.replace(/[^\x20-\x7e]/g, '?').trim());
  const request = fc.record({
    method: fc.constantFrom('GET', 'PUT', 'DELETE', 'POST'),
    ref: fc.oneof(fc.constant(ID), text.map(encodeURIComponent)),
    version: fc.oneof(header, fc.nat().map(String)),
    ttl: fc.oneof(header, fc.nat().map(String)),
    match: fc.oneof(
      header,
      fc.nat().map((number) => `"${number}"`),
      fc.constant('*'),
    ),
    body: fc.uint8Array({ maxLength: 2_000 }),
  });
  await fc.assert(
    fc.asyncProperty(request, async ({ method, ref, version, ttl, match, body }) => {
      const headers = {
        'Session-Version': version,
        'Session-TTL': ttl,
        'If-Match': match,
        'If-None-Match': match,
        'Session-Min-Version': version,
      };
      const response = await app.send(method, `/v1/sessions/${ref}`, {
        headers,
        ...(method === 'GET' ? {} : { body }),
      });
      assert.ok(response.status < 500, `${response.status}`);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(
    app.one.transitions.filter(({ to }) => to !== 'up'),
    [],
  );
});
