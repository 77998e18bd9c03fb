/**
 * What the client promises in every runtime: a program inside each of them runs these checks with the packed client
 * against a real bridge. Only fetch, WebCrypto and timers are used.
 */
import {
  createSessionManager,
  SessionError,
  SessionUnavailableError,
  type Fetch,
  type Session,
  type SessionEvent,
  type SessionManager,
  type SessionOptions,
} from '@memsession/client';
import { exportJWK, generateKeyPair } from 'jose';
import { Browser } from './browser.ts';

export interface SuiteSettings {
  /** Where the bridge answers. */
  readonly bridgeUrl: string;
  readonly bridgeSecret: string;
  /** POST stops and starts what stands behind the bridge; it answers when that is done. */
  readonly controlUrl: string;
}

/** What became of one check. */
export interface Verdict {
  readonly title: string;
  readonly error: string | null;
}

interface Data {
  userId?: string;
  cart?: string[];
  views?: number;
}

interface Instance {
  readonly manager: SessionManager<Data>;
  readonly events: SessionEvent[];
  /** `GET 304` for every answer of the bridge. */
  readonly answers: string[];
  /** All request bodies. */
  readonly sent: string[];
}

type Check = (settings: SuiteSettings) => Promise<void>;

const SECRET = 'a session secret for the runtimes of at least 32 bytes';
/** Slow machines are no outage. */
const TIMEOUT_MS = 10_000;
const TIMERS_LIMIT_MS = 5_000;
/** A line of a stack inside Node. */
const PLATFORM = /\(?node:/;

const CHECKS: Readonly<Record<string, Check>> = {
  'a session is stored, and another instance takes it over': storeAndTakeOver,
  'a cached session costs no request': readFromCache,
  'a confirmed session is answered with 304': confirmUnchanged,
  'requests that save different fields at once both survive': mergeConflict,
  'parallel updates of one counter count every call': countInParallel,
  'what waits at the same time leaves as one batch': batchTogether,
  'a wrapped handler saves its session and sets its cookies': wrapHandler,
  'regenerate() gives a new id and ends the old one': regenerate,
  'a destroyed session is gone, and no late save brings it back': destroySession,
  'a forged cookie is nobody, without an exception': refuseForged,
  'encrypted records show nothing to bridges and nodes': encryptRecords,
  'records signed with Ed25519 are verified by who has the public key only': signWithEd25519,
  'records signed with P-256 are verified by who has the public key only': signWithP256,
  'saves ride in the cookie through an outage and come home after it': rideOutOutage,
  'a session moves to another node when its home dies, and the browser is told': relocateSession,
};

/** Runs all checks, one after the other. */
export async function runSuite(settings: SuiteSettings): Promise<Verdict[]> {
  const timers = new TimerWatch();
  const verdicts: Verdict[] = [];
  const run = async (title: string, check: Check): Promise<void> => {
    try {
      await check(settings);
      verdicts.push({ title, error: null });
    } catch (error) {
      verdicts.push({ title, error: describe(error) });
    }
  };
  for (const [title, check] of Object.entries(CHECKS)) await run(title, check);
  await run('no timer is left behind', () => timers.waitUntilNoneIsOpen());
  timers.restore();
  return verdicts;
}

async function storeAndTakeOver(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const [one, other] = [createInstance(settings), createInstance(settings)];
  await visit(one, browser, (session) => void (session.userId = '42'));
  const attributes = 'Path=/; HttpOnly; Secure; SameSite=Lax';
  equal(browser.lines[0]?.replace(/^__Host-session=[^;]+; /, ''), attributes);
  ok(/^__Host-session-at=\d\.1\.[^.]{8}; /.test(browser.lines[1] ?? ''), 'the second cookie has its hints');
  equal(browser.cacheControl, 'private, no-store');
  equal(await look(other, browser), { userId: '42' });
  equal(typesOf(other), ['takeover']);
}

async function readFromCache(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const instance = createInstance(settings, { maxStale: 600 });
  await visit(instance, browser, (session) => void (session.views = 1));
  const before = instance.answers.length;
  for (let visits = 0; visits < 3; visits += 1) equal(await look(instance, browser), { views: 1 });
  equal(instance.answers.length, before);
}

async function confirmUnchanged(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const instance = createInstance(settings, { maxStale: 0 });
  await visit(instance, browser, (session) => void (session.views = 1));
  equal(await look(instance, browser), { views: 1 });
  equal(instance.answers, ['PUT 201', 'GET 304']);
}

async function mergeConflict(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const [one, other] = [createInstance(settings), createInstance(settings)];
  await visit(one, browser, (session) => void (session.userId = '42'));
  const [first, second] = await Promise.all([open(one, browser), open(other, browser)]);
  first.cart = ['apple'];
  second.views = 7;
  await Promise.all([first.save(), second.save()]);
  const seen = await one.manager.getSession(browser.request(), { fresh: true });
  equal({ ...seen }, { userId: '42', cart: ['apple'], views: 7 });
  equal([...one.events, ...other.events].filter(({ type }) => type === 'conflict').length, 1);
}

async function countInParallel(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const instances = [createInstance(settings), createInstance(settings)];
  await visit(instances[0], browser, (session) => void (session.views = 0));
  await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const session = await open(instances[i % 2], browser);
      await session.update((data) => (data.views = (data.views ?? 0) + 1));
    }),
  );
  const seen = await instances[0]?.manager.getSession(browser.request(), { fresh: true });
  equal(seen?.views, 8);
}

async function batchTogether(settings: SuiteSettings): Promise<void> {
  const instance = createInstance(settings);
  const browsers = Array.from({ length: 20 }, () => new Browser());
  await Promise.all(
    browsers.map((browser, i) => visit(instance, browser, (session) => void (session.views = i))),
  );
  ok(instance.answers.includes('POST 200'), 'a batch is sent');
  ok(instance.answers.length < 20, 'not every save is a request of its own');
  const other = createInstance(settings);
  equal(await Promise.all(browsers.map(async (browser) => (await look(other, browser)).views)), [
    ...browsers.keys(),
  ]);
}

async function wrapHandler(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const { manager } = createInstance(settings);
  const handle = manager.withSession(async (request) => {
    const session = await manager.getSession(request);
    session.views = (session.views ?? 0) + 1;
    return new Response(`visit ${session.views}`, { status: 201, headers: { 'set-cookie': 'other=1' } });
  });
  for (const views of [1, 2]) {
    const response = await handle(browser.request());
    browser.take(response.headers);
    equal([response.status, await response.text()], [201, `visit ${views}`]);
  }
  ok(browser.cookies.has('other'), "the answer's own cookies stay");
}

async function regenerate(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const [one, other] = [createInstance(settings), createInstance(settings)];
  await visit(one, browser, (session) => void (session.cart = ['apple']));
  const attacker = browser.clone();
  await visit(one, browser, async (session) => {
    session.userId = '42';
    await session.regenerate();
  });
  equal(await look(other, browser), { cart: ['apple'], userId: '42' });
  equal(await look(other, attacker), {});
}

async function destroySession(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const [one, other] = [createInstance(settings), createInstance(settings)];
  await visit(one, browser, (session) => void (session.userId = '42'));
  const thief = browser.clone();
  const late = await open(other, thief);
  await visit(one, browser, (session) => session.destroy());
  equal(browser.cookies.size, 0);
  late.views = 99;
  const error = await failureOf(late.save());
  ok(error instanceof SessionError && error.code === 'session_destroyed', String(error));
  ok(other.answers.includes('PUT 410'), 'the bridge answers 410');
  equal(await look(createInstance(settings), thief), {});
}

async function refuseForged(settings: SuiteSettings): Promise<void> {
  const instance = createInstance(settings);
  const browser = new Browser();
  await visit(instance, browser, (session) => void (session.userId = '42'));
  const seal = browser.cookies.get('__Host-session') ?? '';
  for (const forged of [
    '',
    'x',
    `${seal.slice(0, -9)}AAAA${seal.slice(-5)}`,
    '%E0%A4%A',
    'Fe26.2*1*'.repeat(200),
  ]) {
    const stranger = new Browser();
    stranger.cookies.set('__Host-session', forged);
    equal(await look(createInstance(settings), stranger), {});
  }
}

async function encryptRecords(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const options = { protection: 'encrypt' } as const;
  const one = createInstance(settings, options);
  await visit(one, browser, (session) => void (session.userId = 'nobody-may-read-this'));
  const [record = ''] = one.sent;
  equal(record.split('.').length, 5);
  const parts = record.split('.').map((part) => new TextDecoder().decode(fromBase64Url(part)));
  ok(!parts.some((part) => part.includes('nobody-may')), 'the data cannot be read');
  equal(await look(createInstance(settings, options), browser), { userId: 'nobody-may-read-this' });
}

function signWithEd25519(settings: SuiteSettings): Promise<void> {
  return signWithKeyPair(settings, 'EdDSA');
}

function signWithP256(settings: SuiteSettings): Promise<void> {
  return signWithKeyPair(settings, 'ES256');
}

async function signWithKeyPair(settings: SuiteSettings, algorithm: string): Promise<void> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true });
  const browser = new Browser();
  const signer = createInstance(settings, { signingKeys: [await exportJWK(privateKey)] });
  await visit(signer, browser, (session) => void (session.userId = '42'));
  const reader = createInstance(settings, { signingKeys: [await exportJWK(publicKey)] });
  equal(await look(reader, browser), { userId: '42' });
  const stranger = createInstance(settings);
  equal(await look(stranger, browser), {});
  equal(typesOf(stranger), ['rejected']);
}

async function rideOutOutage(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const instance = createInstance(settings, { timeoutMs: 1_000 });
  await visit(instance, browser, (session) => void (session.userId = '42'));
  await control(settings, 'cut');
  try {
    await visit(instance, browser, (session) => void (session.cart = ['apple']));
    equal(typesOf(instance).includes('fallback'), true);
    const error = await failureOf(look(createInstance(settings, { timeoutMs: 1_000 }), new Browser(browser)));
    equal(error, null);
    const stranger = browser.clone();
    stranger.cookies.set('__Host-session-at', '0.1.00000000');
    const unknown = await failureOf(look(createInstance(settings, { timeoutMs: 1_000 }), stranger));
    ok(unknown instanceof SessionUnavailableError, `an outage is an outage: ${String(unknown)}`);
  } finally {
    await control(settings, 'join');
  }
  equal(await look(createInstance(settings), browser), { userId: '42', cart: ['apple'] });
  ok(/^\d\.2\.[^.]{8}$/.test(browser.cookies.get('__Host-session-at') ?? ''), 'nothing rides any more');
  browser.cookies.set('__Host-session-at', '0.2.00000000');
  equal(await look(createInstance(settings), browser), { userId: '42', cart: ['apple'] });
}

async function relocateSession(settings: SuiteSettings): Promise<void> {
  const browser = new Browser();
  const instance = createInstance(settings, { maxStale: 0 });
  await visit(instance, browser, (session) => void (session.userId = '42'));
  const who = browser.cookies.get('__Host-session');
  const home = browser.home;
  await control(settings, `stop/${home}`);
  try {
    // The request that finds the node dead may still be answered under the old index.
    for (let visits = 0; visits < 20 && browser.home === home; visits += 1) {
      equal(await look(instance, browser), { userId: '42' });
    }
    ok(browser.home !== home && browser.home !== undefined, 'the browser has another index');
    equal(browser.cookies.get('__Host-session'), who);
    equal(typesOf(instance).includes('relocate'), true);
    equal(await look(createInstance(settings), browser), { userId: '42' });
  } finally {
    await control(settings, 'start');
  }
}

/** An instance with a memory of its own. */
function createInstance(settings: SuiteSettings, options: SessionOptions<Data> = {}): Instance {
  const events: SessionEvent[] = [];
  const answers: string[] = [];
  const sent: string[] = [];
  const watchedFetch: Fetch = async (url, init) => {
    if (init.body instanceof Uint8Array) sent.push(new TextDecoder().decode(init.body));
    else if (typeof init.body === 'string') sent.push(init.body);
    const response = await fetch(url, init);
    answers.push(`${init.method ?? 'GET'} ${response.status}`);
    return response;
  };
  const manager = createSessionManager<Data>({
    secret: SECRET,
    bridgeUrl: settings.bridgeUrl,
    bridgeSecret: settings.bridgeSecret,
    timeoutMs: TIMEOUT_MS,
    holder: {},
    fetch: watchedFetch,
    onEvent: (event) => {
      if (event.type !== 'backup') events.push(event);
    },
    ...options,
  });
  return { manager, events, answers, sent };
}

/** A visit that changes the session and saves it. */
async function visit(
  instance: Instance | undefined,
  browser: Browser,
  handle: (session: Session<Data>) => void | Promise<void>,
): Promise<void> {
  const headers = new Headers();
  const session = await instance?.manager.getSession(browser.request(), { headers });
  if (session === undefined) throw new Error('there is no such instance');
  try {
    await handle(session);
    if (session.meta.ref !== null || Object.keys(session).length > 0) await session.save();
  } finally {
    browser.take(headers);
  }
}

/** What a visit shows. */
async function look(instance: Instance, browser: Browser): Promise<Data> {
  const headers = new Headers();
  try {
    return { ...(await instance.manager.getSession(browser.request(), { headers })) };
  } finally {
    browser.take(headers);
  }
}

/** A session whose cookies are thrown away. */
async function open(instance: Instance | undefined, browser: Browser): Promise<Session<Data>> {
  const session = await instance?.manager.getSession(browser.request(), { headers: new Headers() });
  if (session === undefined) throw new Error('there is no such instance');
  return session;
}

function typesOf({ events }: Instance): string[] {
  return events.map(({ type }) => type);
}

async function control({ controlUrl }: SuiteSettings, path: string): Promise<void> {
  const response = await fetch(`${controlUrl}/${path}`, { method: 'POST' });
  const text = await response.text();
  if (response.status !== 204) throw new Error(`${path}: ${text}`);
}

/** Counts the timers that are started, but for those of a fetch that is written in JavaScript itself. */
class TimerWatch {
  readonly #setTimeout = globalThis.setTimeout;
  readonly #clearTimeout = globalThis.clearTimeout;
  readonly #open = new Set<unknown>();

  constructor() {
    const watch = (run: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]): unknown => {
      const timer: unknown = this.#setTimeout.call(
        globalThis,
        () => {
          this.#open.delete(timer);
          run(...args);
        },
        delayMs,
      );
      if (!PLATFORM.test(new Error('who').stack?.split('\n')[2] ?? '')) this.#open.add(timer);
      return timer;
    };
    const forget = (timer: Parameters<typeof clearTimeout>[0]): void => {
      this.#open.delete(timer);
      this.#clearTimeout.call(globalThis, timer);
    };
    // Each runtime has its own type of timers; the client only gives back what it got.
    Object.assign(globalThis, { setTimeout: watch, clearTimeout: forget });
  }

  async waitUntilNoneIsOpen(): Promise<void> {
    const giveUpAt = Date.now() + TIMERS_LIMIT_MS;
    while (this.#open.size > 0) {
      if (Date.now() > giveUpAt) throw new Error(`${this.#open.size} timers are open`);
      await new Promise<void>((resolve) => void this.#setTimeout.call(globalThis, () => resolve(), 20));
    }
  }

  restore(): void {
    Object.assign(globalThis, { setTimeout: this.#setTimeout, clearTimeout: this.#clearTimeout });
  }
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return null;
  } catch (error) {
    return error;
  }
}

function ok(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Compares as JSON, with the keys in their order. */
function equal(actual: unknown, expected: unknown): void {
  const [left, right] = [actual, expected].map((value) => JSON.stringify(sortKeys(value)));
  if (left !== right) throw new Error(`${left} is not ${right}`);
}

function sortKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function fromBase64Url(text: string): Uint8Array {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : ` (because: ${describe(error.cause)})`;
  return `${error.stack ?? error.message}${cause}`;
}
