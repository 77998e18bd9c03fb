/** The cookie jar of a (req, res) pair: cookies wait here until the answer's head is written. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { stringifySetCookie } from 'cookie';
import onHeaders from 'on-headers';
import { readCookieHeader, type CookieJar, type ReadOnlyReason, type SessionCookie } from './cookies.ts';
import { SessionError } from './errors.ts';
import { isPlainLocalhost } from './request-jar.ts';

export class NodeJar implements CookieJar {
  readonly #request: IncomingMessage;
  readonly #cookies = new Map<string, SessionCookie>();
  #isHeadWritten: boolean;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#isHeadWritten = response.headersSent;
    // As late as possible: what the handler hands to writeHead() would replace headers that are set now.
    if (!this.#isHeadWritten) onHeaders(response, () => this.#apply(response));
  }

  read(name: string): readonly string[] {
    return readCookieHeader(this.#request.headers.cookie ?? null, name);
  }

  write(cookies: readonly SessionCookie[]): void {
    // A save that nobody waited for: it is stored, and the answer was faster.
    if (this.#isHeadWritten) throw new SessionError('cookies_sent');
    for (const cookie of cookies) this.#cookies.set(cookie.name, cookie);
  }

  whyReadOnly(): ReadOnlyReason | null {
    return this.#isHeadWritten ? 'cookies_sent' : null;
  }

  /** What a proxy says can make cookies stricter, never laxer: anybody can send its headers. */
  isPlainLocalhost(): boolean {
    const { socket, headers } = this.#request;
    if ('encrypted' in socket && socket.encrypted === true) return false;
    const url = `http://${headers.host ?? ''}`;
    if (!URL.canParse(url)) return false;
    const get = (name: string): string | null => headers[name]?.toString() ?? null;
    const getOwn = (name: string): string | null => (name.startsWith('x-forwarded-') ? null : get(name));
    return isPlainLocalhost(url, { get: getOwn }) && isPlainLocalhost(url, { get });
  }

  #apply(response: ServerResponse): void {
    this.#isHeadWritten = true;
    if (this.#cookies.size === 0) return;
    const replaced = [...this.#cookies.keys()].map((name) => `${name}=`);
    const kept = setCookieLines(response).filter((line) => !replaced.some((start) => line.startsWith(start)));
    const lines = [...this.#cookies.values()].map((cookie) => stringifySetCookie(cookie));
    response.setHeader('set-cookie', [...kept, ...lines]);
    // RFC 9111, section 5.2.2: no cache, neither shared nor private, may keep somebody's cookies.
    response.setHeader('cache-control', 'private, no-store');
  }
}

function setCookieLines(response: ServerResponse): string[] {
  const lines = response.getHeader('set-cookie') ?? [];
  return Array.isArray(lines) ? lines : [String(lines)];
}
