/** Next.js as the adapter sees it: one cookie store a request and phase, which may or may not take cookies. */
import { parseCookie, parseSetCookie, stringifySetCookie } from 'cookie';
import type { CookieStore, NextPlatform } from '../../packages/client/src/next-platform.ts';
import { createNextSessions, type NextSessions } from '../../packages/client/src/next-sessions.ts';
import type { SessionCookie, SessionOptions } from '../../packages/client/src/index.ts';
import { BRIDGE_SECRET, BRIDGE_URL, SECRET, type Data } from './client-instance.ts';

/** `action`: cookies can be set. `render` and `after`: they cannot. */
export type Phase = 'action' | 'render' | 'after';

/** One request in Next.js. */
export class FakeRequest {
  readonly headers: Headers;
  /** What the answer sets, by name. */
  readonly answered = new Map<string, SessionCookie>();
  phase: Phase;
  #store: CookieStore | null = null;

  constructor(cookies: ReadonlyMap<string, string>, phase: Phase = 'action') {
    const header = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    this.headers = new Headers({ host: 'app.example', ...(header === '' ? {} : { cookie: header }) });
    this.phase = phase;
  }

  /** Next.js gives another store when an action is followed by a render. */
  enter(phase: Phase): void {
    this.phase = phase;
    this.#store = null;
  }

  get store(): CookieStore {
    this.#store ??= {
      get: (name) => {
        const value = this.answered.get(name)?.value ?? parseCookie(this.headers.get('cookie') ?? '')[name];
        return value === undefined ? undefined : { value };
      },
      set: (cookie) => {
        if (this.phase !== 'action') throw new Error('Cookies can only be modified in a Server Action');
        this.answered.set(cookie.name, cookie);
      },
    };
    return this.#store;
  }

  /** The answer's Set-Cookie headers. */
  get setCookies(): Headers {
    const headers = new Headers();
    for (const cookie of this.answered.values()) headers.append('set-cookie', stringifySetCookie(cookie));
    return headers;
  }
}

/** A process that runs Next.js: its sessions, and the request it works on. */
export class FakeNext {
  readonly sessions: NextSessions<Data>;
  /** What runs when the answer has left. */
  readonly afterwards: (() => Promise<unknown>)[] = [];
  /** Null outside of any request. */
  current: FakeRequest | null = null;
  /** In place of `cookies()`. */
  cookies: (() => Promise<CookieStore>) | null = null;

  constructor(options: SessionOptions<Data>) {
    const platform: NextPlatform = {
      cookies: async () => {
        if (this.cookies !== null) return this.cookies();
        if (this.current === null) throw new Error('`cookies` was called outside a request scope.');
        return this.current.store;
      },
      headers: async () => this.current?.headers ?? new Headers(),
      after: (work) => void this.afterwards.push(work),
    };
    const given = { secret: SECRET, bridgeUrl: BRIDGE_URL, bridgeSecret: BRIDGE_SECRET, holder: {} };
    this.sessions = createNextSessions<Data>({ ...given, ...options }, platform);
  }
}

/** A browser's cookies after an answer. */
export function take(cookies: Map<string, string>, headers: Headers): void {
  for (const line of headers.getSetCookie()) {
    const { name, value, maxAge } = parseSetCookie(line);
    if (maxAge === 0) cookies.delete(name);
    else cookies.set(name, value ?? '');
  }
}
