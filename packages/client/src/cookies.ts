/** The two cookies: their names, what the second one says, and how a request's cookies are found. */
import { stringifySetCookie } from 'cookie';
import { parseVersion } from './protocol.ts';
import type { ResolvedCookie } from './settings.ts';

/** A cookie to be set, in the words of the `cookie` package and of Next.js. */
export interface SessionCookie {
  readonly name: string;
  /** Empty, with `maxAge` 0, to clear it. */
  readonly value: string;
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly path: '/';
  /** Seconds; absent in a cookie that goes with the browser. */
  readonly maxAge?: number;
}

/** Why cookies cannot be set: never in this place, or no longer. */
export type ReadOnlyReason = 'read_only' | 'cookies_sent';

/** Where cookies come from and go to: the one thing an adapter has to bring. */
export interface CookieJar {
  /** Every value that came under this name, in order. A browser may send a name twice. */
  read(name: string): readonly string[];
  /** Sets cookies, in place of earlier ones of the same names, and keeps caches from storing the answer. */
  write(cookies: readonly SessionCookie[]): void;
  /** Why they cannot be set right now; without it, or with null, they can. */
  whyReadOnly?(): ReadOnlyReason | null;
  /** What to do about `read_only`, for the error's message. */
  readonly readOnlyAdvice?: string;
  /** Whether this is a request of plain http to localhost, where Secure cookies may not work. */
  isPlainLocalhost?(): boolean;
}

/** Names of the two cookies. */
export interface CookieNames {
  /** Who: the sealed id. */
  readonly who: string;
  /** Where, and how new: the hints. */
  readonly at: string;
  readonly isSecure: boolean;
}

/** Browsers take `__Host-` only when it is Secure, has no Domain and Path=/ (RFC 6265bis, section 4.1.3.2). */
export function cookieNames(name: string, isSecure: boolean): CookieNames {
  const who = isSecure ? `__Host-${name}` : name;
  return { who, at: `${who}-at`, isSecure };
}

/** Bytes of name and value from which on browsers ignore a cookie (RFC 6265bis, section 5.6). */
export const COOKIE_LIMIT = 4096;

/** Values of one name that are looked at. */
const MOST_VALUES = 3;

/** The values of a name in a Cookie header, in order; at most three. */
export function readCookieHeader(header: string | null, name: string): readonly string[] {
  const values: string[] = [];
  if (header === null) return values;
  const wanted = `${name}=`;
  let from = header.indexOf(wanted);
  while (from !== -1 && values.length < MOST_VALUES) {
    const end = header.indexOf(';', from);
    // Only at the start of a pair: "x-name=" is another cookie. No other white space may stand before it.
    if (isPairStart(header, from)) {
      values.push(header.slice(from + wanted.length, end === -1 ? undefined : end).trimEnd());
    }
    from = end === -1 ? -1 : header.indexOf(wanted, end);
  }
  return values;
}

function isPairStart(header: string, at: number): boolean {
  let before = at - 1;
  while (before >= 0 && header[before] === ' ') before -= 1;
  return before < 0 || header[before] === ';';
}

/** What the second cookie says: hints that cost a look at most when they are forged. */
export interface Hint {
  /** The home node; null while no node holds the session. */
  readonly index: number | null;
  /** The lowest version this browser may be shown. */
  readonly floor: number;
  /** Data that could not be stored; still sealed. */
  readonly sealedData: string | null;
}

/** `<node index>.<version>.<tag>[.<sealed data>]`; a session that no node holds has `-` for the index. */
const HINT = /^(-|[0-9]{1,4})\.([0-9]{1,10})\.([A-Za-z0-9_~*-]{8})(?:\.(.+))?$/;

/** The last characters of the sealed id to which hints belong. */
export function tagOf(seal: string): string {
  return seal.slice(-8);
}

/** The newest hint that belongs to this seal, or null. */
export function readHint(values: readonly string[], seal: string): Hint | null {
  let newest: Hint | null = null;
  for (const value of values) {
    const hint = parseHint(value, tagOf(seal));
    if (hint !== null && (newest === null || hint.floor > newest.floor)) newest = hint;
  }
  return newest;
}

function parseHint(value: string, tag: string): Hint | null {
  if (value.length > COOKIE_LIMIT) return null;
  const match = HINT.exec(value);
  if (match === null || match[3] !== tag) return null;
  const floor = parseVersion(match[2] ?? '');
  if (floor === null) return null;
  return { index: match[1] === '-' ? null : Number(match[1]), floor, sealedData: match[4] ?? null };
}

/** The second cookie's value. */
export function formatHint(hint: Hint, seal: string): string {
  const value = `${hint.index ?? '-'}.${hint.floor}.${tagOf(seal)}`;
  return hint.sealedData === null ? value : `${value}.${hint.sealedData}`;
}

/** A cookie with the attributes that both have. `value` null clears it. */
export function sessionCookie(
  name: string,
  value: string | null,
  options: { readonly cookie: ResolvedCookie; readonly isSecure: boolean },
): SessionCookie {
  const maxAge = value === null ? 0 : options.cookie.maxAge;
  return {
    name,
    value: value ?? '',
    httpOnly: true,
    secure: options.isSecure,
    sameSite: options.cookie.sameSite,
    path: '/',
    ...(maxAge === null ? {} : { maxAge }),
  };
}

/** Appends cookies to an answer's headers; what the headers already set under the same names goes. */
export function appendCookies(headers: Headers, cookies: readonly SessionCookie[]): void {
  const replaced = cookies.map(({ name }) => `${name}=`);
  const kept = headers.getSetCookie().filter((line) => !replaced.some((start) => line.startsWith(start)));
  headers.delete('set-cookie');
  for (const line of kept) headers.append('set-cookie', line);
  for (const cookie of cookies) headers.append('set-cookie', stringifySetCookie(cookie));
  // RFC 9111, section 5.2.2: no cache, neither shared nor private, may keep somebody's cookies.
  headers.set('cache-control', 'private, no-store');
}
