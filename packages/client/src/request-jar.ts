/** The cookie jar of a fetch-style request whose answer's headers the caller builds. */
import {
  appendCookies,
  readCookieHeader,
  type CookieJar,
  type ReadOnlyReason,
  type SessionCookie,
} from './cookies.ts';
import { SessionError } from './errors.ts';

/** Reads a request's cookies; writes to the headers of the answer, once there are any. */
export class RequestJar implements CookieJar {
  readonly readOnlyAdvice: string =
    'Give getSession() the headers of the answer, { headers }, or wrap the handler in withSession().';
  readonly #request: Request;
  readonly #header: string | null;
  #headers: Headers | null;
  #isClosed = false;

  constructor(request: Request, headers: Headers | null) {
    this.#request = request;
    this.#header = request.headers.get('cookie');
    this.#headers = headers;
  }

  /** From now on cookies go to these headers. */
  attach(headers: Headers): void {
    this.#headers = headers;
    this.#isClosed = false;
  }

  /** A wrapped handler begins, whose answer gets these headers; but headers that its caller has named stay. */
  open(headers: Headers): void {
    this.#headers ??= headers;
    this.#isClosed = false;
  }

  /** The answer is made: cookies that come now would reach nobody. */
  close(): void {
    this.#isClosed = true;
  }

  read(name: string): readonly string[] {
    return readCookieHeader(this.#header, name);
  }

  write(cookies: readonly SessionCookie[]): void {
    // A save that nobody waited for: it is stored, and the answer was faster.
    if (this.#isClosed) throw new SessionError('cookies_sent');
    if (this.#headers !== null) appendCookies(this.#headers, cookies);
  }

  whyReadOnly(): ReadOnlyReason | null {
    if (this.#isClosed) return 'cookies_sent';
    return this.#headers === null ? 'read_only' : null;
  }

  isPlainLocalhost(): boolean {
    return isPlainLocalhost(this.#request.url, this.#request.headers);
  }
}

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?$/i;

/** Whether a browser on this machine speaks plain http to us, with no proxy between that speaks https. */
export function isPlainLocalhost(url: string, headers: Pick<Headers, 'get'>): boolean {
  const outerProtocol = headers.get('x-forwarded-proto') ?? url.slice(0, url.indexOf(':'));
  if (outerProtocol !== 'http') return false;
  const outerHost = headers.get('x-forwarded-host') ?? headers.get('host') ?? new URL(url).host;
  if (!LOOPBACK.test(outerHost)) return false;
  const page = headers.get('origin') ?? headers.get('referer') ?? '';
  return !page.startsWith('https:');
}
