import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHint } from '../../packages/client/src/cookies.ts';
import { includesSave, LOG_LENGTH, nextLog } from '../../packages/client/src/history.ts';
import { type Fetch, SessionError, SessionUnavailableError } from '../../packages/client/src/index.ts';
import type { RecordCodec, Sealer, SessionRecord } from '../../packages/client/src/ports.ts';
import { createRecordCodec } from '../../packages/client/src/record.ts';
import { createSealer } from '../../packages/client/src/seal.ts';
import { BRIDGE_SECRET, change, createInstance, look, SECRET } from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

/** JSON that the docs say fits the cookie in an outage. */
const CARRIED_BYTES = 2_500;
/** Of a cookie's name and value together, in every browser. */
const COOKIE_BYTES = 4_096;

function newBridge(): MemoryBridge {
  return new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
}

/** The same with every call counted. */
function counting<T extends Sealer | RecordCodec>(it: T, count: () => void): T {
  return new Proxy(it, {
    get(target, name): unknown {
      count();
      return Reflect.get(target, name);
    },
  });
}

test('what is held is served without cryptography and within the same turn', async () => {
  let uses = 0;
  const count = (): void => void (uses += 1);
  const options = { app: 'default', secrets: [SECRET], protection: 'sign', signingKeys: [] } as const;
  const instance = createInstance(newBridge().fetch, {
    sealer: counting(createSealer([SECRET]), count),
    recordCodec: counting(createRecordCodec(options), count),
  });
  const browser = new TestBrowser();
  await change(instance, browser, (session) => (session.userId = '42'));
  assert.ok(uses > 0);
  uses = 0;
  let turns = 0;
  const next = setImmediate(() => (turns += 1));
  assert.deepEqual(await look(instance, browser), { userId: '42' });
  clearImmediate(next);
  assert.deepEqual([turns, uses], [0, 0]);
});

test('a record knows the eight saves before it', () => {
  const nothing = { version: 1, savedAt: 1, startedAt: 1, changed: null, cut: 0, codec: 'json', data: '{}' };
  const saves: SessionRecord[] = [];
  for (let save = 0; save <= 12; save += 1) {
    const log = nextLog(saves.at(-1) ?? null);
    const record = { id: '602F7397FBE4D9932E59A9D0E52FE178', ...nothing, nonce: `save ${save}`, log };
    const known = saves.map(({ nonce }) => includesSave(record, nonce));
    assert.equal(known.filter(Boolean).length, Math.min(save, LOG_LENGTH));
    assert.ok(known.slice(-LOG_LENGTH).every(Boolean));
    saves.push(record);
  }
});

test('a record that is too large is refused before it is sent', async () => {
  let requests = 0;
  const bridge = newBridge();
  const fetch: Fetch = (url, init) => {
    requests += 1;
    return bridge.fetch(url, init);
  };
  const instance = createInstance(fetch, { maxRecordBytes: 2_000 });
  const browser = new TestBrowser();
  await change(instance, browser, (session) => (session.userId = '42'));
  const before = requests;
  const large = change(instance, browser, (session) => (session['text'] = 'x'.repeat(2_000)));
  await assert.rejects(large, (error) => error instanceof SessionError && error.code === 'record_too_large');
  assert.equal(requests, before);
  assert.deepEqual(await look(createInstance(fetch), browser), { userId: '42' });
});

test('a save that always comes second gives up in time, and says that nobody can know', async () => {
  const bridge = newBridge();
  const browser = new TestBrowser();
  const rival = createInstance(bridge.fetch);
  await change(rival, browser, (session) => (session.views = 0));
  const tab = browser.clone();
  let rounds = 0;
  const fetch: Fetch = async (url, init) => {
    if (init.method === 'PUT') {
      rounds += 1;
      await change(rival, tab, (session) => (session.views = rounds));
    }
    return bridge.fetch(url, init);
  };
  const instance = createInstance(fetch, { fallback: 'none' });
  const loser = change(instance, browser, (session) => (session.userId = '42'));
  await assert.rejects(loser, SessionUnavailableError);
  assert.ok(rounds > 1 && rounds <= 40, `${rounds} rounds`);
  assert.deepEqual(await look(createInstance(bridge.fetch), browser), { views: rounds });
});

test('as much data as the docs say fits the cookie in an outage, and no cookie is too long', async () => {
  const bridge = newBridge();
  const browser = new TestBrowser();
  const instance = createInstance(bridge.fetch);
  await change(instance, browser, (session) => (session.userId = '42'));
  for (const node of [0, 1, 2]) bridge.down.add(node);
  const frame = JSON.stringify({ userId: '42', text: '' }).length;
  const text = 'x'.repeat(CARRIED_BYTES - frame);
  await change(instance, browser, (session) => (session['text'] = text));
  for (const [name, value] of browser.cookies) assert.ok(name.length + value.length < COOKIE_BYTES);
  assert.deepEqual(await look(createInstance(bridge.fetch), browser), { userId: '42', text });
});

test('up to the last byte that browsers take, a save is carried whole or refused', async () => {
  const bridge = newBridge();
  const known = new TestBrowser();
  const instance = createInstance(bridge.fetch);
  await change(instance, known, (session) => (session.userId = '42'));
  for (const node of [0, 1, 2]) bridge.down.add(node);
  let longest = 0;
  let refused = 0;
  for (let length = CARRIED_BYTES; length < COOKIE_BYTES; length += 32) {
    const browser = known.clone();
    const text = 'x'.repeat(length);
    try {
      await change(instance, browser, (session) => (session['text'] = text));
    } catch (error) {
      assert.ok(error instanceof SessionUnavailableError);
      assert.deepEqual(browser.cookies, known.cookies);
      refused += 1;
      continue;
    }
    assert.equal(refused, 0, 'what is shorter is never refused');
    const bytes = '__Host-session-at'.length + 1 + (browser.at?.length ?? 0);
    assert.ok(bytes < COOKIE_BYTES);
    longest = Math.max(longest, bytes);
    assert.equal((await look(instance, browser))['text'], text);
  }
  assert.ok(refused > 0);
  // A seal grows by 43 characters for 32 bytes.
  assert.ok(longest >= COOKIE_BYTES - 50, `the longest has ${longest} bytes`);
});

test('a second cookie longer than any of ours says nothing', () => {
  const seal = 'Fe26.2*1*x*12345678';
  const start = '0.7.12345678.';
  const floorOf = (length: number): number | undefined =>
    readHint([start + 'x'.repeat(length - start.length)], seal)?.floor;
  for (const length of [COOKIE_BYTES - 1, COOKIE_BYTES]) assert.equal(floorOf(length), 7);
  assert.equal(floorOf(COOKIE_BYTES + 1), undefined);
});
