/** A browser's cookie jar: sends what it has, takes what it is given. */
import { parseSetCookie } from 'cookie';

export class TestBrowser {
  readonly cookies = new Map<string, string>();
  readonly url: string;

  constructor(url = 'https://app.example/') {
    this.url = url;
  }

  request(): Request {
    const header = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    return new Request(this.url, header === '' ? {} : { headers: { cookie: header } });
  }

  /** Takes an answer's cookies in their order, and forgets those that are cleared. */
  take(headers: Headers): void {
    for (const line of headers.getSetCookie()) {
      const { name, value, maxAge } = parseSetCookie(line);
      if (maxAge === 0) this.cookies.delete(name);
      else this.cookies.set(name, value ?? '');
    }
  }

  /** The same browser at this moment, for requests that overtake each other. */
  clone(): TestBrowser {
    const copy = new TestBrowser(this.url);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  get who(): string | undefined {
    return this.cookies.get('__Host-session');
  }

  get at(): string | undefined {
    return this.cookies.get('__Host-session-at');
  }
}
