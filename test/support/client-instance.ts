/** App instances for tests: managers with memories of their own, whose time and network the test owns. */
import assert from 'node:assert/strict';
import {
  createSessionManager,
  SessionError,
  type Clock,
  type Fetch,
  type Session,
  type SessionEvent,
  type SessionManager,
  type SessionOptions,
} from '../../packages/client/src/index.ts';
import type { TestBrowser } from './test-browser.ts';

export const SECRET = 'session-secret-for-tests-only-0123456789';
export const BRIDGE_SECRET = 'bridge-secret-for-tests-only-0123456789';
export const BRIDGE_URL = 'http://bridge.test';

/** The data of the sessions in these tests. */
export interface Data {
  userId?: string;
  cart?: string[];
  views?: number;
  [field: string]: unknown;
}

/** Real time that a test can move on; its timers are real. One that is still is moved on by nothing else. */
export class TestClock implements Clock {
  readonly #stillAt: number | null;
  #offsetMs = 0;
  /** Timers that have neither run nor been cancelled. */
  timers = 0;

  constructor({ isStill = false }: { readonly isStill?: boolean } = {}) {
    this.#stillAt = isStill ? Date.now() : null;
  }

  now(): number {
    return (this.#stillAt ?? Date.now()) + this.#offsetMs;
  }

  advance(seconds: number): void {
    this.#offsetMs += seconds * 1000;
  }

  after(delayMs: number, run: () => void): () => void {
    this.timers += 1;
    let isOpen = true;
    const close = (): void => {
      if (isOpen) this.timers -= 1;
      isOpen = false;
    };
    const timer = setTimeout(() => {
      close();
      run();
    }, delayMs);
    return () => {
      clearTimeout(timer);
      close();
    };
  }
}

export interface Instance {
  readonly manager: SessionManager<Data>;
  readonly events: SessionEvent[];
  /** The types of the events so far, for a glance. */
  readonly told: (type: SessionEvent['type']) => SessionEvent[];
}

/** A new instance: shares nothing with the others but the bridge. */
export function createInstance(fetch: Fetch, options: SessionOptions<Data> = {}): Instance {
  const events: SessionEvent[] = [];
  const manager = createSessionManager<Data>({
    secret: SECRET,
    bridgeUrl: BRIDGE_URL,
    bridgeSecret: BRIDGE_SECRET,
    holder: {},
    fetch,
    // A slow machine is no outage.
    timeoutMs: 10_000,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { manager, events, told: (type) => events.filter((event) => event.type === type) };
}

/** One visit: the handler gets the browser's session, the browser takes the answer's cookies. */
export async function visit<R>(
  { manager }: Instance,
  browser: TestBrowser,
  handle: (session: Session<Data>) => R | Promise<R>,
): Promise<R> {
  const headers = new Headers();
  try {
    return await handle(await manager.getSession(browser.request(), { headers }));
  } finally {
    browser.take(headers);
  }
}

/** A visit that changes the session and saves it. */
export function change(
  instance: Instance,
  browser: TestBrowser,
  edit: (session: Session<Data>) => void,
): Promise<void> {
  return visit(instance, browser, async (session) => {
    edit(session);
    await session.save();
  });
}

/** What a visit shows of the session. */
export function look(instance: Instance, browser: TestBrowser): Promise<Data> {
  return visit(instance, browser, (session) => ({ ...session }));
}

/** Asserts that a session does not take the value as its field `field`, and that the error says which part of it. */
export async function assertRefused(
  instance: Instance,
  browser: TestBrowser,
  { path, value }: { readonly path: string; readonly value: unknown },
): Promise<void> {
  await assert.rejects(
    change(instance, browser, (session) => (session['field'] = value)),
    (error) =>
      error instanceof SessionError &&
      error.code === 'data_not_serializable' &&
      error.message.includes(`${path} is`),
    path,
  );
}
