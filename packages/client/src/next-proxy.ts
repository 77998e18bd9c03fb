/** sessionProxy(): the cookies are made what they should be before the request reaches its page. */
import { NextResponse, type NextFetchEvent, type NextRequest } from 'next/server.js';
import { readHint, type SessionCookie } from './cookies.ts';
import { SessionError } from './errors.ts';
import { ProxyJar } from './next-jars.ts';
import type { Visit, Visits } from './next-visits.ts';

/** What a guard answers with; without an answer the request goes on to its page. */
export type GuardAnswer = Response | null | undefined | void;

/** Decides, before a page is reached, whether it may be. */
export type Guard = (request: NextRequest, event: NextFetchEvent) => GuardAnswer | Promise<GuardAnswer>;

export type SessionProxy = (request: NextRequest, event: NextFetchEvent) => Promise<Response>;

export function createProxy<T extends object>(visits: Visits<T>, guard: Guard): SessionProxy {
  return async (request, event) => {
    const store = await visits.findStore(request);
    const isVisit = isPageVisit(request);
    const jar = new ProxyJar(request.headers);
    // What is due is written for visits only; what the guard itself saves, always.
    if (!isVisit) jar.isActive = false;
    const visit = visits.begin(store ?? request, {
      jar,
      waitUntil: () => (work) => event.waitUntil(work),
      onLoad: () => (jar.isActive = true),
    });
    if (isVisit) await renewCookies(visit);
    const answer = (await guard(request, event)) ?? null;
    return jar.written.length === 0 ? (answer ?? NextResponse.next()) : deliver(request, answer, jar.written);
  };
}

/**
 * Whether a page is looked at. Handlers and actions set cookies themselves, so that the browser gets each of them
 * once; and of many prefetches none needs new ones.
 */
function isPageVisit({ method, headers }: NextRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const purpose = `${headers.get('purpose') ?? ''} ${headers.get('sec-purpose') ?? ''}`;
  return !purpose.includes('prefetch') && !headers.has('next-router-prefetch');
}

async function renewCookies<T extends object>(visit: Visit<T>): Promise<void> {
  try {
    await visit.session();
  } catch (error) {
    // An outage: the page itself knows what to show.
    if (!(error instanceof SessionError)) throw error;
  }
}

/** The answer with the cookies, which whoever handles the request next finds in it too. */
function deliver(
  request: NextRequest,
  answer: Response | null,
  cookies: readonly SessionCookie[],
): NextResponse {
  const response = answer === null ? NextResponse.next() : new NextResponse(answer.body, answer);
  if (isPassedOn(response)) forwardCookies(request, response, cookies);
  setCookies(response, cookies);
  return response;
}

/** Where Next.js tells its server components which cookies proxy.ts has set. */
const SET_COOKIES = 'x-middleware-set-cookie';

/** Not by the answer's own `cookies`, which would read what the guard has set, and write it in its own way. */
function setCookies({ headers }: NextResponse, cookies: readonly SessionCookie[]): void {
  const carrier = new NextResponse(null);
  for (const cookie of cookies) carrier.cookies.set(cookie);
  const told = [headers.get(SET_COOKIES), carrier.headers.get(SET_COOKIES)];
  headers.set(SET_COOKIES, told.filter((value) => value !== null).join(','));
  // In the words of Next.js, which drops a line that its page has, too, only where both are the same.
  for (const line of carrier.headers.getSetCookie()) headers.append('set-cookie', line);
  headers.set('cache-control', 'private, no-store');
}

const OVERRIDES = 'x-middleware-override-headers';
const OVERRIDE = 'x-middleware-request-';

function isPassedOn({ headers }: Response): boolean {
  return headers.has('x-middleware-next') || headers.has('x-middleware-rewrite');
}

/** Setting them on the answer alone would reach server components, but not route handlers. */
function forwardCookies(
  request: NextRequest,
  { headers }: NextResponse,
  cookies: readonly SessionCookie[],
): void {
  const forwarded = headers.has(OVERRIDES) ? overridesIn(headers) : new Headers(request.headers);
  forwarded.set('cookie', replaceCookies(forwarded.get('cookie') ?? '', cookies));
  // Next.js itself says how changed request headers are passed on.
  const carrier = NextResponse.next({ request: { headers: forwarded } });
  for (const [name, value] of carrier.headers) {
    if (name === OVERRIDES || name.startsWith(OVERRIDE)) headers.set(name, value);
  }
}

/** The request headers that the guard's own answer passes on. */
function overridesIn(headers: Headers): Headers {
  const forwarded = new Headers();
  for (const [name, value] of headers) {
    if (name.startsWith(OVERRIDE)) forwarded.set(name.slice(OVERRIDE.length), value);
  }
  return forwarded;
}

/** A Cookie header with these cookies in place of those of the same names. */
function replaceCookies(header: string, cookies: readonly SessionCookie[]): string {
  const names = new Set(cookies.map(({ name }) => name));
  const kept = header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !names.has(nameOf(pair)) && !isOthersSeal(pair, cookies));
  const set = cookies.filter(({ value }) => value !== '').map(({ name, value }) => `${name}=${value}`);
  return [...kept, ...set].join('; ');
}

/**
 * Whether it is a sealed id that the hints do not belong to. Of a name that comes twice, Next.js itself would keep
 * the last one.
 */
function isOthersSeal(pair: string, cookies: readonly SessionCookie[]): boolean {
  const name = nameOf(pair);
  const hint = cookies.find((cookie) => cookie.name === `${name}-at` && cookie.value !== '');
  return hint !== undefined && readHint([hint.value], pair.slice(name.length + 1)) === null;
}

function nameOf(pair: string): string {
  return pair.slice(0, pair.indexOf('='));
}
