import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { AdminAccess } from '../../packages/bridge/src/admin-access.ts';
import { type EmbeddedNode, startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { pino } from 'pino';
import { sendRaw } from '../support/raw-http.ts';
import { ADMIN_TOKEN, type RunningBridge, startBridge } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

let node: EmbeddedNode;
let bridge: RunningBridge;
let url = '';

before(async () => {
  node = await startEmbeddedNode();
  bridge = await startBridge([node.port], { adminTokens: [ADMIN_TOKEN], copies: 1 });
  url = bridge.adminUrl ?? '';
});
after(async () => {
  await bridge[Symbol.asyncDispose]();
  await node.close();
});

const log = pino({ level: 'silent' });
const SAME_ORIGIN = { 'sec-fetch-site': 'same-origin' };

function post(
  path: string,
  headers: Record<string, string>,
  form: Record<string, string> = {},
): Promise<Response> {
  return fetch(url + path, { method: 'POST', headers, body: new URLSearchParams(form), redirect: 'manual' });
}

function get(path: string, cookie = ''): Promise<Response> {
  return fetch(url + path, { headers: { cookie }, redirect: 'manual', signal: AbortSignal.timeout(20_000) });
}

async function logIn(): Promise<string> {
  const response = await post('/dashboard/login', SAME_ORIGIN, { token: ADMIN_TOKEN });
  assert.equal(response.status, 303);
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

test('the token opens the dashboard by a cookie that holds something else', async () => {
  const response = await post('/dashboard/login', SAME_ORIGIN, { token: ADMIN_TOKEN });
  const cookie = response.headers.get('set-cookie') ?? '';
  assert.match(cookie, /^memsession-operator=[\w-]{43}; Path=\/dashboard; HttpOnly; SameSite=Strict$/);
  assert.equal(response.headers.get('location'), '/dashboard');
  const page = await get('/dashboard', cookie.split(';')[0]);
  assert.deepEqual([page.status, page.headers.get('cache-control')], [200, 'no-store']);
  assert.ok(!(await page.text()).includes(ADMIN_TOKEN));
});

test('behind a balancer with TLS the cookie goes over TLS only', async () => {
  const headers = { ...SAME_ORIGIN, 'x-forwarded-proto': 'https' };
  const response = await post('/dashboard/login', headers, { token: ADMIN_TOKEN });
  assert.match(response.headers.get('set-cookie') ?? '', /; Secure/);
});

test('a wrong token, a huge form or no form at all opens nothing', async () => {
  for (const form of [
    { token: 'wrong' },
    { token: '' },
    {},
    { token: ADMIN_TOKEN, more: 'x'.repeat(9_000) },
  ]) {
    const response = await post('/dashboard/login', SAME_ORIGIN, form);
    assert.deepEqual([response.status, response.headers.get('set-cookie')], [401, null]);
  }
  const response = await get(`/dashboard/login?token=${encodeURIComponent(ADMIN_TOKEN)}`);
  assert.equal(response.headers.get('set-cookie'), null, 'a token in the URL is not looked at');
});

test('who is not logged in is sent to the login, and programs are told', async () => {
  for (const path of ['/dashboard', '/dashboard/docs']) {
    const response = await get(path);
    assert.deepEqual([response.status, response.headers.get('location')], [303, '/dashboard/login']);
  }
  for (const path of ['/dashboard/events', '/dashboard/api/nodes'])
    assert.equal((await get(path, 'memsession-operator=x')).status, 401);
});

test('a page of another origin can neither log in, nor out, nor change anything', async () => {
  const cookie = await logIn();
  const foreign: Record<string, string>[] = [
    {},
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'none' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `https://evil.example/${new URL(url).host}` },
  ];
  for (const headers of foreign) {
    for (const path of ['/dashboard/api/nodes/0/drain', '/dashboard/login', '/dashboard/logout']) {
      const response = await post(path, { ...headers, cookie }, { token: ADMIN_TOKEN });
      assert.equal(response.status, 403, `${path} ${JSON.stringify(headers)}`);
    }
  }
  assert.equal(bridge.cluster.status()[0]?.isDraining, false);
  const own = { origin: url, cookie };
  assert.notEqual((await post('/dashboard/api/nodes/9/drain', own)).status, 403, 'its own page can');
});

test('a name that is made to point here opens nothing: neither cookie nor token come with it', async () => {
  const cookie = await logIn();
  const ask = async (line: string, fields: string): Promise<number | undefined> =>
    (
      await sendRaw(
        url,
        `${line} HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n${fields}\r\n\r\n`,
      )
    ).statuses[0];
  const fromThere = 'Origin: http://rebound.example\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 0';
  assert.equal(await ask('GET /dashboard', fromThere), 303);
  for (const path of ['/dashboard/api/nodes', '/dashboard/events', '/admin/nodes', '/metrics'])
    assert.equal(await ask(`GET ${path}`, fromThere), 401, path);
  assert.equal(await ask('POST /dashboard/api/nodes/0/drain', fromThere), 401);
  const { headers } = await post('/dashboard/login', SAME_ORIGIN, { token: ADMIN_TOKEN });
  assert.doesNotMatch(headers.get('set-cookie') ?? '', /domain/i, 'the cookie belongs to this host alone');
  assert.equal((await get('/dashboard', cookie)).status, 200);
});

test('a token that is refused is logged, once a second at most and never itself', async () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    {},
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  let now = 1_000_000;
  const access = new AdminAccess({ tokens: [ADMIN_TOKEN], wallClock: () => now, log });
  for (let i = 0; i < 100; i += 1) assert.ok(!access.isToken(`a guess, ${i}`));
  assert.ok(access.isToken(ADMIN_TOKEN));
  now += 1_000;
  assert.ok(!access.isAuthorized('Bearer another guess'));
  assert.ok(!access.isAuthorized(undefined), 'whoever sends none guesses nothing');
  assert.deepEqual(
    lines.map(({ refused }) => refused),
    [1, 100],
  );
  assert.ok(!JSON.stringify(lines).includes('guess,'));
});

test('the cookie opens the dashboard only, not the interface for programs', async () => {
  const cookie = await logIn();
  for (const path of ['/metrics', '/admin/nodes', '/admin/overview'])
    assert.equal((await get(path, cookie)).status, 401, path);
});

test('after logging out the cookie is worth nothing', async () => {
  const cookie = await logIn();
  assert.equal((await get('/dashboard', cookie)).status, 200);
  const response = await post('/dashboard/logout', { ...SAME_ORIGIN, cookie });
  assert.match(response.headers.get('set-cookie') ?? '', /^memsession-operator=;.*Max-Age=0/);
  assert.equal((await get('/dashboard', cookie)).status, 303);
});

test('a browser that is not used for half an hour is logged out, and any after eight hours', () => {
  let now = 0;
  const access = new AdminAccess({ tokens: [ADMIN_TOKEN], wallClock: () => now, log });
  const value = access.open();
  const minutes = (count: number): number => count * 60_000;
  for (; now < minutes(8 * 60 - 20); now += minutes(20)) assert.ok(access.isOpen(value), `${now}`);
  assert.ok(access.isOpen(value));
  now = minutes(8 * 60);
  assert.ok(!access.isOpen(value), 'it was used all the time');
  const idle = access.open();
  now += minutes(30);
  assert.ok(!access.isOpen(idle));
});

test('of very many browsers the oldest are logged out', () => {
  const access = new AdminAccess({ tokens: [ADMIN_TOKEN], wallClock: () => 0, log });
  const values = Array.from({ length: 101 }, () => access.open());
  assert.deepEqual(
    [access.isOpen(values[0]), access.isOpen(values[1]), access.isOpen(values[100])],
    [false, true, true],
  );
});

test('every page forbids what does not come from here, and needs nothing that does not', async () => {
  const cookie = await logIn();
  for (const path of ['/dashboard/login', '/dashboard', '/dashboard/docs']) {
    const response = await get(path, cookie);
    const policy = response.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.ok(!/unsafe|\*|https?:/.test(policy), policy);
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(response.headers.get('referrer-policy'), 'no-referrer');
    const text = await response.text();
    assert.deepEqual(
      [...text.matchAll(/<script(?! type="module" src="\/assets\/)|<style| style=| on[a-z]+=/g)],
      [],
      path,
    );
    const resources = [...text.matchAll(/(?:src|<link[^>]*href)="([^"]+)"/g)].map(
      ([, resource = '']) => resource,
    );
    for (const resource of resources) {
      assert.match(resource, /^\/assets\//);
      const asset = await get(resource);
      assert.equal(asset.status, 200, resource);
      const again = await fetch(url + resource, {
        headers: { 'if-none-match': asset.headers.get('etag') ?? '' },
      });
      assert.equal(again.status, 304);
      await asset.body?.cancel();
    }
  }
});

test('the page about the interface names every request and body of the document', async () => {
  const document = (await (await fetch(`${bridge.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, unknown>>;
    components: { schemas: Record<string, unknown> };
  };
  const page = await (await get('/dashboard/docs', await logIn())).text();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of Object.keys(item).filter((key) => key !== 'parameters'))
      assert.match(
        page,
        new RegExp(`>${method.toUpperCase()}</code>\\s*<code>${path.replace(/[{}]/g, '\\$&')}<`),
      );
  }
  for (const name of Object.keys(document.components.schemas))
    assert.ok(page.includes(`id="schema-${name}"`), name);
});

test('the dashboard is told everything first, and then what is new', async () => {
  const response = await get('/dashboard/events', await logIn());
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/);
  let text = '';
  assert.ok(response.body);
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if ((text.match(/^event: tick$/gm) ?? []).length >= 2) break;
  }
  const [first = ''] = text.split('\n\n');
  assert.match(first, /^event: start$/m);
  const start = JSON.parse(/^data: (.*)$/m.exec(first)?.[1] ?? '') as { overview: { nodes: unknown[] } };
  assert.equal(start.overview.nodes.length, 1);
});

test('a dashboard that is open hears nothing more after the logout', async () => {
  const cookie = await logIn();
  const response = await get('/dashboard/events', cookie);
  const ended = response.text();
  await post('/dashboard/logout', { ...SAME_ORIGIN, cookie });
  assert.match(await ended, /^event: start$/m, 'the stream ends');
});

test('strangers who hold connections open do not use up the files of the process', async () => {
  const { hostname, port } = new URL(url);
  const sockets = Array.from({ length: 200 }, () => {
    const socket = connect(Number(port), hostname).resume();
    // Most of them are closed at once.
    return socket.on('error', () => {});
  });
  await waitUntil(() => sockets.filter((socket) => !socket.destroyed).length <= 96, 'the others are closed');
  for (const socket of sockets) socket.destroy();
  await waitUntil(async () => (await get('/healthz').catch(() => null))?.status === 200, 'it answers again');
});
