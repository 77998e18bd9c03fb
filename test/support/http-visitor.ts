/** A visitor without a browser: keeps cookies, and sees each answer as it comes. */
import { CookieJar } from '../../examples/start/cookie-jar.ts';

export interface Seen {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Names of the cookies that the answer sets, as often as it sets them. */
  readonly cookieNames: readonly string[];
}

export class HttpVisitor {
  readonly jar: CookieJar;
  readonly url: string;

  constructor(url: string, jar: CookieJar = new CookieJar()) {
    this.url = url;
    this.jar = jar;
  }

  /** Redirects are shown, not followed. */
  async send(path: string, init: RequestInit = {}): Promise<Seen> {
    const headers = new Headers({ cookie: this.jar.header(), 'sec-fetch-site': 'same-origin' });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    const response = await fetch(this.url + path, { redirect: 'manual', ...init, headers });
    this.jar.store(response);
    const cookieNames = response.headers.getSetCookie().map((line) => line.slice(0, line.indexOf('=')));
    return { status: response.status, headers: response.headers, text: await response.text(), cookieNames };
  }

  /** The JSON of an answer, in the shape that the test expects. */
  async ask<T>(path: string, init: RequestInit = {}): Promise<T & { readonly seen: Seen }> {
    const seen = await this.send(path, init);
    return { ...(JSON.parse(seen.text) as T), seen };
  }

  post(path: string, body: object = {}): Promise<Seen> {
    return this.send(path, { method: 'POST', body: JSON.stringify(body) });
  }

  /** The same visitor at this moment, e.g. in another tab. */
  clone(): HttpVisitor {
    return new HttpVisitor(this.url, this.jar.copy());
  }
}
