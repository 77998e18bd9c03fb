import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { BRIDGE_SECRET, makeToken } from '../support/app.ts';
import { type BridgeProcess, runBridgeCommand, startBridgeProcess } from '../support/bridge-process.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { AMBIGUOUS_REQUESTS, otherSpellings } from '../support/odd-requests.ts';
import { sendRaw } from '../support/raw-http.ts';
import { requireBun } from '../support/runtimes.ts';
import { makeId } from '../support/service.ts';
import { waitUntil } from '../support/wait.ts';

/** Each of these connections is closed with its answer, however long that takes. */
const QUIET_MS = 20_000;

let node: Memcached;

before(async () => {
  node = await startMemcached();
});
after(() => node.kill());

function start(env: Readonly<Record<string, string>> = {}): Promise<BridgeProcess> {
  return startBridgeProcess({
    runtime: requireBun(),
    nodes: [node.port],
    // Nothing here is about a node that is late.
    env: { NODE_TIMEOUT_MS: '5000', COPIES: '1', ...env },
  });
}

/** A connection, with what has come over it and how long it was open. */
class Line {
  readonly #socket: Socket;
  readonly #openedAt = performance.now();
  text = '';
  openMs: number | null = null;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect(Number(port), hostname);
    this.#socket.setEncoding('latin1').on('data', (chunk: string) => (this.text += chunk));
    this.#socket.once('close', () => (this.openMs = performance.now() - this.#openedAt));
    this.#socket.on('error', () => {
      // A reset is a close.
    });
  }

  write(bytes: string): void {
    this.#socket.write(bytes);
  }

  /** Resolves when the other side has closed it. */
  closed(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.closed) resolve();
      else this.#socket.once('close', () => resolve());
    });
  }
}

/** The head of a new session of nine bytes, and where its body begins. */
async function headOfPut(): Promise<string> {
  const fields = 'Session-Version: 1\r\nIf-None-Match: *\r\nSession-TTL: 60\r\nContent-Length: 9';
  return `PUT /v1/sessions/${makeId()} HTTP/1.1\r\nHost: bridge\r\nAuthorization: Bearer ${await makeToken()}\r\n${fields}\r\n\r\n`;
}

test('on Bun a path leads somewhere in one spelling only, even with a good token', async () => {
  await using bridge = await start();
  const id = makeId();
  await bridge.client.put(id, { version: 1, base: null, text: 'protected' });
  const fields = `Host: bridge\r\nAuthorization: Bearer ${await makeToken()}\r\nConnection: close\r\n\r\n`;
  const plain = await sendRaw(bridge.url, `GET /v1/sessions/${id} HTTP/1.1\r\n${fields}`, QUIET_MS);
  assert.deepEqual(plain.statuses, [200]);
  for (const target of otherSpellings(id)) {
    const { statuses, text } = await sendRaw(bridge.url, `GET ${target} HTTP/1.1\r\n${fields}`, QUIET_MS);
    assert.deepEqual(statuses, [404], target);
    assert.match(text, /"code":"no_route"/, target);
  }
});

test('on Bun requests that two servers could read differently end the connection, and nothing behind them is served', async () => {
  await using bridge = await start();
  for (const request of AMBIGUOUS_REQUESTS) {
    const { statuses, isClosed } = await sendRaw(bridge.url, request, QUIET_MS);
    // It looks into a body when that is read: whoever may not send one hears so first.
    const outcome = statuses.filter((status) => status !== 401);
    assert.deepEqual([outcome, isClosed], [[400], true], JSON.stringify(request.slice(0, 110)));
  }
  const large = `GET /healthz HTTP/1.1\r\nHost: bridge\r\nX: ${'x'.repeat(17_000)}\r\n\r\n`;
  const { statuses, isClosed } = await sendRaw(bridge.url, large, QUIET_MS);
  assert.deepEqual([statuses, isClosed], [[431], true]);
});

test('on Bun whoever sends too much is told so, announced or not', async () => {
  await using bridge = await start();
  const id = makeId();
  for (const bytes of [524_289, 5_000_000]) {
    const { status } = await bridge.client.put(id, { version: 1, base: null, text: 'x'.repeat(bytes) });
    assert.equal(status, 413);
  }
  const head = (await headOfPut()).replace(
    'Content-Length: 9',
    'Transfer-Encoding: chunked\r\nConnection: close',
  );
  const chunk = `80001\r\n${'x'.repeat(524_289)}\r\n0\r\n\r\n`;
  const { statuses } = await sendRaw(bridge.url, head + chunk, QUIET_MS);
  assert.deepEqual(statuses, [413]);
  assert.equal((await bridge.client.get(id)).status, 404);
});

test('on Bun a head or a body that comes byte by byte is cut off, whatever the next byte', async () => {
  await using bridge = await start({ KEEP_ALIVE_MS: '2000' });
  const head = new Line(bridge.url);
  head.write('GET /healthz HTTP/1.1\r\nX: ');
  const second = new Line(bridge.url);
  second.write('GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\nGET /healthz HTTP/1.1\r\nX: ');
  const body = new Line(bridge.url);
  body.write(await headOfPut());
  const silent = new Line(bridge.url);
  const idle = new Line(bridge.url);
  idle.write('GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n');
  const timer = setInterval(() => {
    for (const line of [head, second]) line.write('x');
  }, 300);
  const slower = setInterval(() => body.write('x'), 2_000);
  await Promise.all([head, second, body, silent, idle].map((line) => line.closed()));
  clearInterval(timer);
  clearInterval(slower);
  // Sooner than a connection on which nothing moves is closed in any case.
  for (const line of [head, second, body, silent]) assert.ok((line.openMs ?? 0) < 28_000, line.text);
  assert.ok((body.openMs ?? 0) > 8_000, 'a body has more time than a head');
  for (const line of [head, body, silent]) assert.match(line.text, /^HTTP\/1\.1 408 /);
  assert.match(idle.text, /^HTTP\/1\.1 200 /);
  assert.ok((idle.openMs ?? 0) > 1_500, 'an idle connection is kept for its time');
});

test('on Bun the end closes idle connections at once, busy ones with their answer, and all when the grace is over', async () => {
  await using bridge = await start({ STOP_GRACE_MS: '3000' });
  const lines = [new Line(bridge.url), new Line(bridge.url), new Line(bridge.url)] as const;
  const [idle, busy, stuck] = lines;
  idle.write('GET /healthz HTTP/1.1\r\nHost: bridge\r\n\r\n');
  for (const line of [busy, stuck]) line.write(`${await headOfPut()}half`);
  await waitUntil(() => idle.text.includes('200 OK'), 'the first is answered');
  await waitUntil(async () => (await connectionsOf(bridge)) === 3, 'the others are under way');
  const began = performance.now();
  bridge.signal('SIGTERM');
  await idle.closed();
  assert.equal(busy.openMs, null);
  busy.write(' full');
  await busy.closed();
  assert.match(busy.text, /^HTTP\/1\.1 201 Created\r\n[^]*connection: close\r\n/i);
  assert.equal(stuck.openMs, null);
  await stuck.closed();
  const graceMs = performance.now() - began;
  assert.ok(graceMs > 2_500, `${graceMs} ms`);
  assert.equal(await bridge.ended, 0);
});

test('on Bun a port that is taken and a name that has no address are told with their settings', async () => {
  await using first = await start();
  const { port } = new URL(first.url);
  const env = { MEMCACHED_NODES: `127.0.0.1:${node.port}`, BRIDGE_SECRET, PORT: port, HOST: '127.0.0.1' };
  const taken = await runBridgeCommand([], env, requireBun());
  assert.equal(taken.code, 1);
  assert.match(taken.stderr, /PORT .* is taken/);
  const nameless = await runBridgeCommand([], { ...env, PORT: '0', HOST: 'nowhere.invalid' }, requireBun());
  assert.equal(nameless.code, 1);
  assert.match(nameless.stderr, /HOST .* is no address of this machine/);
});

async function connectionsOf(bridge: BridgeProcess): Promise<number> {
  const text = await (await bridge.admin('GET', '/metrics')).text();
  return Number(/^memsession_connections (\d+)$/m.exec(text)?.[1]);
}
