/** What an app may do wrong with a session: it is told at once, and nothing is lost by it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionError, type DataCodec, type SessionOptions } from '../../packages/client/src/index.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  assertRefused,
  look,
  visit,
  type Data,
  type Instance,
} from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

function setUp(options: SessionOptions<Data> = {}): {
  instance: Instance;
  browser: TestBrowser;
  another: (given?: SessionOptions<Data>) => Instance;
} {
  const { fetch } = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const another = (given: SessionOptions<Data> = {}): Instance =>
    createInstance(fetch, { ...options, ...given });
  return { instance: another(), browser: new TestBrowser(), another };
}

test(
  'a function of update() that calls the session is told so, and does not wait for ever',
  { timeout: 5_000 },
  async () => {
    const { instance, browser, another } = setUp();
    await visit(instance, browser, async (session) => {
      for (const call of [
        () => session.save(),
        () => session.destroy(),
        () => session.regenerate(),
        () => session.reload(),
        () => session.update((data) => void (data.views = 2)),
      ]) {
        await assert.rejects(session.update(call), TypeError);
      }
      // What runs beside the function, and not in it, waits for its turn.
      await session.update(async (data) => {
        data.views = 1;
        await Promise.resolve();
      });
      await Promise.all([session.update((data) => (data.views = 2)), session.save()]);
    });
    assert.deepEqual(await look(another(), browser), { views: 2 });
  },
);

test('an onEvent whose promise is rejected harms nobody', async (t) => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): number => unhandled.push(reason);
  process.on('unhandledRejection', note);
  t.after(() => process.off('unhandledRejection', note));
  // A function with a promise fits where nothing is awaited.
  const onEvent = (async () => Promise.reject(new Error('the log is full'))) as () => void;
  const { instance, browser } = setUp({ onEvent });
  await change(instance, browser, (session) => (session.views = 1));
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(unhandled, []);
});

for (const [what, given] of [
  ['nothing', undefined],
  ['null', null],
  ['a list', [1]],
  ['text', 'views'],
  ['a number', 5],
  ['a Date', new Date(0)],
] as const) {
  test(`a conflict function that gives ${what} in place of the data stores nothing`, async () => {
    // What the types forbid, JavaScript can do.
    const { instance, another, browser } = setUp({ onConflict: () => given as unknown as Data });
    await change(instance, browser, (session) => (session.views = 1));
    const tab = browser.clone();
    await visit(instance, browser, async (session) => {
      await change(another(), tab, (other) => (other.userId = '42'));
      session.views = 2;
      await assert.rejects(session.save(), { name: 'TypeError', message: /onConflict/ });
    });
    assert.deepEqual(await look(another(), tab), { views: 1, userId: '42' });
  });
}

test('a codec that cannot read what is stored is an error that names the field, not a new session', async () => {
  const codec: DataCodec = {
    name: 'odd',
    encode: (value) => value,
    decode: () => {
      throw new RangeError('not mine');
    },
  };
  const { instance, browser } = setUp({ codec });
  await change(instance, browser, (session) => (session.views = 1));
  await assert.rejects(
    look(instance, browser),
    (error) =>
      error instanceof SessionError &&
      error.code === 'data_not_serializable' &&
      error.message.includes('views') &&
      error.cause instanceof RangeError,
  );
});

test('an object that turns itself into other JSON is refused, whoever sees its toJSON()', async () => {
  const { instance, browser } = setUp();
  for (const [path, value] of [
    ['field', hide({ a: 1 }, () => 'other')],
    ['field.a', { a: hide({}, () => undefined) }],
    ['field[0]', [hide([1], () => 'other')]],
  ] as const) {
    await assertRefused(instance, browser, { path, value });
  }
});

test('an object that is reached by a billion ways is refused, and holds nobody up', async () => {
  const { instance, browser } = setUp();
  let value: object = {};
  for (let depth = 0; depth < 30; depth += 1) value = { a: value, b: value };
  await assert.rejects(
    change(instance, browser, (session) => (session['field'] = value)),
    { code: 'data_not_serializable' },
  );
});

function hide<T extends object>(value: T, toJSON: () => unknown): T {
  return Object.defineProperty(value, 'toJSON', { value: toJSON });
}

test('a cookie’s name that would be a prefix, or somebody’s second cookie, is refused', () => {
  for (const name of ['__Host-sid', '__host-sid', '__Secure-sid', '__Http-sid', 'session-at', 'a-at']) {
    assert.throws(() => setUp({ cookie: { name } }), { name: 'TypeError', message: /cookie\.name/ }, name);
  }
  for (const name of ['sid', 'a__b', '_sid', 'at', 'a-at-b', 'chat']) setUp({ cookie: { name } });
});
