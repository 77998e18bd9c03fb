import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { type EmbeddedNode, startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { ApiDocument, type ApiCall, type Parameter } from '../support/api-document.ts';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import {
  ADMIN_TOKEN,
  makeId,
  operationsUnderWay,
  type RunningBridge,
  startBridge,
} from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let nodes: EmbeddedNode[] = [];
let bridge: RunningBridge;
let api: ApiDocument;

before(async () => {
  nodes = await Promise.all(Array.from({ length: 3 }, () => startEmbeddedNode()));
  bridge = await start();
  const document = (await (await fetch(`${bridge.url}/openapi.json`)).json()) as Record<string, unknown>;
  api = new ApiDocument(document, { url: bridge.url, token: await makeToken() });
});
afterEach(async () => {
  for (const node of nodes) await node.heal();
});
after(async () => {
  await bridge[Symbol.asyncDispose]();
  for (const node of nodes) await node.close();
});

function start(overrides: Parameters<typeof startBridge>[1] = {}): Promise<RunningBridge> {
  return startBridge(
    nodes.map(({ port }) => port),
    { nodeTimeoutMs: 5_000, ...overrides },
  );
}

const CREATE = { 'Session-Version': '1', 'If-None-Match': '*', 'Session-TTL': '60' };
const TTL = { 'Session-TTL': '60' };

/** A call of each operation on sessions that is fine as such. */
function callsFor(ref: string): Record<string, ApiCall> {
  return {
    readSession: { values: { ref } },
    saveSession: { values: { ref, ...CREATE }, body: 'record' },
    touchSession: { values: { ref, ...TTL } },
    destroySession: { values: { ref, ...TTL } },
    runBatch: { body: JSON.stringify({ operations: [{ method: 'GET', ref }] }) },
  };
}

test('the document is valid OpenAPI 3.1', async () => {
  const document = (await (await fetch(`${bridge.url}/openapi.json`)).json()) as Record<string, unknown>;
  const validator = new Validator();
  const { valid, errors } = await validator.validate(document);
  assert.ok(valid, JSON.stringify(errors));
  assert.equal(validator.version, '3.1');
});

test('a session lives its life as documented', async () => {
  const ref = makeId();
  const { send } = { send: async (id: string, call: ApiCall) => (await api.send(id, call)).status };
  assert.equal(await send('readSession', { values: { ref } }), 404);
  assert.equal(await send('saveSession', { values: { ref, ...CREATE }, body: 'one' }), 201);
  const replace = { ref, 'Session-Version': '2', 'If-Match': '"1"', ...TTL };
  assert.equal(await send('saveSession', { values: replace, body: 'two' }), 200);
  const late = { ...replace, 'Session-Version': '3' };
  assert.equal(await send('saveSession', { values: late, body: 'three' }), 412);
  assert.equal(await send('readSession', { values: { ref, 'If-None-Match': '"2"' } }), 304);
  const read = { ref, 'Session-Min-Version': '2', 'If-None-Match': 'W/"1"', ...TTL };
  assert.equal(await send('readSession', { values: read }), 200);
  assert.equal(await send('touchSession', { values: { ref, ...TTL } }), 204);
  assert.equal(await send('destroySession', { values: { ref, ...TTL } }), 204);
  assert.equal(await send('readSession', { values: { ref } }), 410);
  assert.equal(await send('touchSession', { values: { ref, ...TTL } }), 410);
  assert.equal(await send('saveSession', { values: { ref, ...CREATE }, body: 'one' }), 410);
  const absent = { ...replace, ref: makeId() };
  assert.equal(await send('saveSession', { values: absent, body: 'two' }), 404);
  assert.equal(await send('touchSession', { values: { ref: makeId(), ...TTL } }), 404);
  assert.equal(await send('saveSession', { values: { ref, ...CREATE }, body: 'x'.repeat(524_289) }), 413);
});

test('values at the bounds of a parameter are taken, values beyond them refused', async () => {
  for (const [id, call] of Object.entries(callsFor(makeId()))) {
    for (const parameter of api.operation(id).parameters) {
      for (const value of beyond(parameter)) {
        assert.ok(!api.isValid(parameter, typed(parameter, value)), `${id} ${parameter.name} ${value}`);
        const reply = await api.send(id, { ...call, values: { ...call.values, [parameter.name]: value } });
        assert.equal(reply.status, 400, `${id} ${parameter.name} ${value}`);
      }
      for (const value of within(parameter)) {
        const values = { ...call.values, ref: makeId(), [parameter.name]: value };
        const reply = await api.send(id, { ...call, values });
        assert.notEqual(reply.status, 400, `${id} ${parameter.name} ${value} ${reply.text}`);
      }
      if (!parameter.isRequired || parameter.in === 'path') continue;
      const { [parameter.name]: _, ...values } = call.values ?? {};
      assert.equal((await api.send(id, { ...call, values })).status, 400, `${id} without ${parameter.name}`);
    }
  }
});

/** A header as the schema sees it. */
function typed({ schema }: Parameter, value: string): unknown {
  return schema['type'] === 'integer' && /^[0-9]+$/.test(value) ? Number(value) : value;
}

function within({ schema }: Parameter): string[] {
  const bounds = [schema['minimum'], schema['maximum']];
  return bounds.filter((bound) => typeof bound === 'number').map(String);
}

function beyond({ schema }: Parameter): string[] {
  if (schema['type'] !== 'integer') return ['x'];
  const { minimum, maximum } = schema;
  return [Number(minimum) - 1, Number(maximum) + 1, 1.5, 'x', '1e3', '-1'].map(String);
}

test('a batch takes what the document allows and refuses each operation that it does not', async () => {
  const ref = makeId();
  const base = { ref, ttl: 60 };
  const good = [
    { method: 'PUT', ...base, version: 1, ifNoneMatch: '*', record: 'one' },
    { method: 'GET', ref: makeId(), minVersion: 1, ifNoneMatch: 1, ttl: 60 },
    { method: 'TOUCH', ...base, ref: makeId() },
    { method: 'DELETE', ...base, ref: makeId() },
  ];
  const wrong = [
    ...good.flatMap((operation) =>
      Object.keys(operation)
        .filter((name) => operation.method !== 'GET' || name === 'ref' || name === 'method')
        .filter((name) => name !== 'ifNoneMatch')
        .map((name) => Object.fromEntries(Object.entries(operation).filter(([other]) => other !== name))),
    ),
    ...good.map((operation) => ({ ...operation, extra: 1 })),
    ...good.map((operation) => ({ ...operation, ttl: 0 })),
    ...good.map((operation) => ({ ...operation, ref: ref.toLowerCase() })),
    ...[null, 1, 'GET', [], {}, { method: 'POST', ref }],
  ];
  const operations: unknown[] = [...good, ...wrong];
  for (const [index, operation] of operations.entries())
    assert.equal(api.fits('Operation', operation), index < good.length, JSON.stringify(operation));
  const reply = await api.send('runBatch', { body: JSON.stringify({ operations }) });
  const { results } = JSON.parse(reply.text) as { results: { status: number }[] };
  assert.deepEqual(
    results.map(({ status }) => status),
    [201, 404, 404, 204, ...wrong.map(() => 400)],
  );
  for (const body of [
    '',
    '{',
    '[]',
    '{"operations":[]}',
    '{"operations":1}',
    `{"operations":[${'1,'.repeat(128)}1]}`,
  ])
    assert.equal((await api.send('runBatch', { body })).status, 400, body.slice(0, 30));
  assert.equal((await api.send('runBatch', { body: 'x'.repeat(4_194_305) })).status, 413);
});

test('who has no token, or the wrong one, gets what is documented', async () => {
  const noScope = await makeToken({ scope: 'other' });
  for (const { id, isSecured } of api.operations) {
    const call = callsFor(makeId())[id] ?? {};
    assert.equal((await api.send(id, { ...call, token: null })).status, isSecured ? 401 : 200, id);
    assert.equal((await api.send(id, { ...call, token: noScope })).status, isSecured ? 403 : 200, id);
  }
  assert.equal((await api.send('listNodes')).status, 200);
});

test('too much work is refused as documented', async () => {
  const apps = new Map([['*', { secrets: [BRIDGE_SECRET], maxInFlight: 1 }]]);
  const patient = { adminTokens: [ADMIN_TOKEN], nodeTimeoutMs: 30_000, maxQueueMs: 0 };
  await using one = await start({ ...patient, apps });
  await using full = await start({ ...patient, maxInFlight: 1, appMaxInFlight: 100 });
  for (const [busy, status, code] of [
    [one, 429, 'rate_limited'],
    [full, 503, 'overloaded'],
  ] as const) {
    const there = api.at(busy.url);
    for (const node of nodes) await node.inject({ kind: 'hang' });
    const held = there.send('readSession', { values: { ref: makeId() } });
    await waitUntil(async () => (await operationsUnderWay(busy)) === 1, 'it is full');
    for (const [id, call] of Object.entries(callsFor(makeId()))) {
      const refused = await there.send(id, call);
      assert.equal(refused.status, status, id);
      assert.equal((JSON.parse(refused.text) as { error: { code: string } }).error.code, code, id);
    }
    for (const node of nodes) await node.heal();
    await held;
  }
});

test('nodes that are full or gone are told as documented', async () => {
  for (const node of nodes) await node.inject({ kind: 'out_of_memory' });
  const ref = makeId();
  assert.equal((await api.send('saveSession', { values: { ref, ...CREATE }, body: 'one' })).status, 507);
  for (const node of nodes) await node.inject({ kind: 'refuse' });
  await using alone = await start({ nodeTimeoutMs: 250 });
  const there = api.at(alone.url);
  for (const [id, call] of Object.entries(callsFor(ref))) {
    const { status, text } = await there.send(id, call);
    assert.ok(status === 503 || text.includes('"status":503'), `${id} ${status}`);
  }
  assert.equal((await there.send('isReady')).status, 503);
});

test('every documented answer was given, but for the one to a defect', () => {
  const missing = api.operations.flatMap(({ id, statuses }) =>
    statuses
      .filter((status) => status !== 500 && !api.seen.has(`${id} ${status}`))
      .map((status) => `${id} ${status}`),
  );
  assert.deepEqual(missing, []);
});
