/** A browser's cookie jar for programs inside any runtime: no import at all. */

export class Browser {
  readonly cookies: Map<string, string>;
  /** The Set-Cookie lines of the last answer. */
  lines: string[] = [];
  cacheControl: string | null = null;

  constructor(like?: Browser) {
    this.cookies = new Map(like?.cookies);
  }

  clone(): Browser {
    return new Browser(this);
  }

  request(): Request {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    return new Request('https://app.example/', cookie === '' ? {} : { headers: { cookie } });
  }

  take(headers: Headers): void {
    this.lines = headers.getSetCookie();
    this.cacheControl = headers.get('cache-control');
    for (const line of this.lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (/; Max-Age=0(;|$)/i.test(line)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
  }

  /** The node index of the second cookie. */
  get home(): string | undefined {
    return this.cookies.get('__Host-session-at')?.split('.')[0];
  }
}
