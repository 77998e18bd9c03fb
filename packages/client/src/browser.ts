/** One request's browser: which cookies it has, and which it is to get. */
import {
  cookieNames,
  COOKIE_LIMIT,
  formatHint,
  readHint,
  sessionCookie,
  type CookieJar,
  type CookieNames,
  type Hint,
} from './cookies.ts';
import { SessionError } from './errors.ts';
import type { ResolvedCookie } from './settings.ts';

export interface BrowserOptions {
  readonly cookie: ResolvedCookie;
  /** Called when the names lose `__Host-`. */
  readonly onPlain: () => void;
}

export class Browser {
  readonly #jar: CookieJar;
  readonly #options: BrowserOptions;
  readonly #names: CookieNames;
  /** Sealed ids as they came, at most three. */
  readonly seals: readonly string[];
  readonly #sentHints: readonly string[];
  /** The second cookie as the browser has it, or will. */
  #hint: string | null;

  constructor(jar: CookieJar, options: BrowserOptions) {
    this.#jar = jar;
    this.#options = options;
    this.#names = namesFor(jar, options.cookie);
    this.seals = jar.read(this.#names.who);
    this.#sentHints = jar.read(this.#names.at);
    this.#hint = this.#sentHints.length === 1 ? (this.#sentHints[0] ?? null) : null;
  }

  get canWrite(): boolean {
    return (this.#jar.whyReadOnly?.() ?? null) === null;
  }

  /** Whether cookies could have been set earlier in this request. */
  get isTooLate(): boolean {
    return this.#jar.whyReadOnly?.() === 'cookies_sent';
  }

  /** @throws SessionError `read_only` or `cookies_sent`. */
  assertWritable(): void {
    const reason = this.#jar.whyReadOnly?.() ?? null;
    if (reason === null) return;
    throw new SessionError(reason, reason === 'read_only' ? this.#jar.readOnlyAdvice : undefined);
  }

  /** The newest hint that came with this seal. */
  hintFor(seal: string): Hint | null {
    return readHint(this.#sentHints, seal);
  }

  /** Whether the browser has exactly this hint. */
  hasHint(hint: Hint, seal: string): boolean {
    return this.#hint === formatHint(hint, seal);
  }

  /** Bytes of the second cookie, name and value; null when that is more than browsers take. */
  sizeOf(hint: Hint, seal: string): number | null {
    const bytes = this.#names.at.length + 1 + formatHint(hint, seal).length;
    return bytes < COOKIE_LIMIT ? bytes : null;
  }

  /** Sets the second cookie where it differs, and the first when the seal is new. */
  write(seal: string, hint: Hint, { isNewSeal }: { readonly isNewSeal: boolean }): void {
    const value = formatHint(hint, seal);
    if (!isNewSeal && this.#hint === value) return;
    this.#warnWhenPlain();
    const at = this.#cookie(this.#names.at, value);
    this.#jar.write(isNewSeal ? [this.#cookie(this.#names.who, seal), at] : [at]);
    this.#hint = value;
  }

  /** Clears both cookies, where there are any. */
  clear(): void {
    if (this.seals.length === 0 && this.#sentHints.length === 0 && this.#hint === null) return;
    this.#jar.write([this.#cookie(this.#names.who, null), this.#cookie(this.#names.at, null)]);
    this.#hint = null;
  }

  #cookie(name: string, value: string | null): ReturnType<typeof sessionCookie> {
    return sessionCookie(name, value, { cookie: this.#options.cookie, isSecure: this.#names.isSecure });
  }

  #warnWhenPlain(): void {
    if (!this.#names.isSecure) this.#options.onPlain();
  }
}

/** A browser that has a Secure cookie gets Secure ones; only then does the request's address matter. */
function namesFor(jar: CookieJar, { name, secure }: ResolvedCookie): CookieNames {
  const names = cookieNames(name, secure !== false);
  if (secure !== 'auto' || jar.read(names.who).length > 0) return names;
  return jar.isPlainLocalhost?.() === true ? cookieNames(name, false) : names;
}
