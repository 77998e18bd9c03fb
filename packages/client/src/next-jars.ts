/** The cookie jars of the places in Next.js where a session can be used. */
import { appendCookies, readCookieHeader } from './cookies.ts';
import type { CookieJar, ReadOnlyReason, SessionCookie } from './cookies.ts';
import type { CookieStore, PagesRequest, PagesResponse, RequestHeaders } from './next-platform.ts';
import { isPlainLocalhost } from './request-jar.ts';

/** Only its headers say who was asked: what Next.js gives as a URL may name another host. */
const ANY_URL = 'http://unknown.invalid/';

/** Over `await cookies()`: route handlers, server actions and server components. */
export class StoreJar implements CookieJar {
  readonly #store: CookieStore;
  readonly #headers: RequestHeaders;
  /** Whether cookies could be set when the session was asked for. */
  readonly #wasWritable: boolean;
  #isClosed = false;
  #hasWritten = false;

  constructor(store: CookieStore, headers: RequestHeaders) {
    this.#store = store;
    this.#headers = headers;
    this.#wasWritable = canSet(store);
  }

  /** Whether nothing could ever be set here. */
  get isReadOnly(): boolean {
    return !this.#wasWritable;
  }

  get hasWritten(): boolean {
    return this.#hasWritten;
  }

  /** A wrapped function runs, so that the answer is still to come. */
  open(): void {
    this.#isClosed = false;
  }

  /** The answer is made: from now on Next.js would drop cookies without a word. */
  close(): void {
    this.#isClosed = true;
  }

  read(name: string): readonly string[] {
    // The store knows what an action or proxy.ts has set in this request; the header, names that came twice.
    const value = this.#store.get(name)?.value;
    if (value === undefined || value === '') return [];
    const sent = readCookieHeader(this.#headers.get('cookie'), name);
    return sent.includes(value) ? sent : [value, ...sent];
  }

  write(cookies: readonly SessionCookie[]): void {
    for (const cookie of cookies) this.#store.set(cookie);
    this.#hasWritten = true;
  }

  whyReadOnly(): ReadOnlyReason | null {
    if (!this.#isClosed && canSet(this.#store)) return null;
    return this.#wasWritable ? 'cookies_sent' : 'read_only';
  }

  isPlainLocalhost(): boolean {
    return isPlainLocalhost(ANY_URL, this.#headers);
  }
}

const NAME_ASKED = new Error('Whoever can set a cookie asks for its name first.');

/** It is never set. What its name throws has been made before: to make an error takes longer than the visit. */
const PROBE: SessionCookie = {
  get name(): never {
    throw NAME_ASKED;
  },
  value: '',
  httpOnly: true,
  secure: true,
  sameSite: 'lax',
  path: '/',
};

/**
 * Next.js has no question for this, and an answer is needed before anything is stored. Where cookies can be set,
 * this one is asked for its name, and nothing is set; elsewhere Next.js complains about the call.
 */
function canSet(store: CookieStore): boolean {
  try {
    store.set(PROBE);
  } catch (error) {
    return error === NAME_ASKED;
  }
  // Whatever took a cookie without a name will take others.
  return true;
}

/** Over a request on its way through proxy.ts or middleware.ts; what is written is collected. */
export class ProxyJar implements CookieJar {
  readonly #headers: RequestHeaders;
  readonly #written = new Map<string, SessionCookie>();
  /** Whether it takes cookies now. */
  isActive = true;

  constructor(headers: RequestHeaders) {
    this.#headers = headers;
  }

  /** What the browser, and whoever handles the request next, are to get. */
  get written(): readonly SessionCookie[] {
    return [...this.#written.values()];
  }

  read(name: string): readonly string[] {
    return readCookieHeader(this.#headers.get('cookie'), name);
  }

  write(cookies: readonly SessionCookie[]): void {
    for (const cookie of cookies) this.#written.set(cookie.name, cookie);
  }

  whyReadOnly(): ReadOnlyReason | null {
    return this.isActive ? null : 'read_only';
  }

  isPlainLocalhost(): boolean {
    return isPlainLocalhost(ANY_URL, this.#headers);
  }
}

/** Over Node's request and answer, as the Pages Router has them. */
export class PagesJar implements CookieJar {
  readonly #headers: RequestHeaders;
  readonly #response: PagesResponse;

  constructor(request: PagesRequest, response: PagesResponse) {
    this.#headers = { get: (name) => joined(request.headers[name]) };
    this.#response = response;
  }

  read(name: string): readonly string[] {
    return readCookieHeader(this.#headers.get('cookie'), name);
  }

  write(cookies: readonly SessionCookie[]): void {
    const headers = new Headers();
    const before = this.#response.getHeader('Set-Cookie') ?? [];
    for (const line of Array.isArray(before) ? before : [String(before)]) headers.append('set-cookie', line);
    appendCookies(headers, cookies);
    this.#response.setHeader('Set-Cookie', headers.getSetCookie());
    this.#response.setHeader('Cache-Control', headers.get('cache-control') ?? 'private, no-store');
  }

  whyReadOnly(): ReadOnlyReason | null {
    return this.#response.headersSent ? 'cookies_sent' : null;
  }

  isPlainLocalhost(): boolean {
    return isPlainLocalhost(ANY_URL, this.#headers);
  }
}

function joined(value: string | readonly string[] | undefined): string | null {
  if (value === undefined) return null;
  return typeof value === 'string' ? value : value.join('; ');
}
