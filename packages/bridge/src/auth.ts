/** Who may do what: checks bearer tokens against the apps and secrets that the operator configured. */
import { hash } from 'node:crypto';
import { APP_NAME, TOKEN_AUDIENCE, TOKEN_MAX_SECONDS, TOKEN_SCOPE } from '@memsession/client/protocol';
import { decodeJwt, errors, jwtVerify } from 'jose';
import type { AppRules, Apps } from './apps-file.ts';

export type Authentication =
  | { readonly ok: true; readonly app: string; readonly rules?: AppRules }
  | { readonly ok: false; readonly code: 'unauthorized' | 'forbidden'; readonly message: string };

export interface AuthenticatorOptions {
  readonly apps: Apps;
  /** Epoch milliseconds. */
  readonly wallClock: () => number;
}

const CLOCK_TOLERANCE_SECONDS = 30;
const LONGEST_TOKEN = 2_048;
/** Verified tokens remembered; an app uses one for minutes. */
const MOST_REMEMBERED = 10_000;

/** Verifies tokens and remembers the verified ones until they expire. */
export class Authenticator {
  readonly #wallClock: () => number;
  /** By the token's hash: whoever sees this process's memory finds no token in it. */
  readonly #remembered: Map<string, Remembered> = new Map();
  #credentials: ReadonlyMap<string, Credentials> = new Map();

  constructor(options: AuthenticatorOptions) {
    this.#wallClock = options.wallClock;
    this.setApps(options.apps);
  }

  /** Puts other apps and secrets in force at once; tokens are verified anew. */
  setApps(apps: Apps): void {
    const encoder = new TextEncoder();
    this.#credentials = new Map(
      [...apps].map(([app, rules]) => [
        app,
        { rules, keys: rules.secrets.map((secret) => encoder.encode(secret)) },
      ]),
    );
    this.#remembered.clear();
  }

  /** Who sends this `Authorization` header, or why nobody does. */
  async authenticate(header: string | undefined): Promise<Authentication> {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header ?? '')?.[1];
    if (token === undefined || token.length > LONGEST_TOKEN) {
      return refuse('Authorization: send "Bearer" and a token signed with the app\'s bridge secret.');
    }
    const digest = hash('sha256', token, 'base64');
    const known = this.#remembered.get(digest);
    if (known !== undefined && known.expiresAt > this.#wallClock()) return known.authentication;
    return this.#verify(token, digest);
  }

  async #verify(token: string, digest: string): Promise<Authentication> {
    const app = readIssuer(token);
    if (app === null) return refuse('The token names no app in its "iss" claim.');
    // Taken once: secrets that are put in force meanwhile must not be remembered as those that matched.
    const credentials = this.#credentials;
    const { keys, rules } = credentials.get(app) ?? credentials.get('*') ?? NO_CREDENTIALS;
    for (const key of keys) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['HS256'],
          audience: TOKEN_AUDIENCE,
          issuer: app,
          requiredClaims: ['exp', 'iat'],
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          currentDate: new Date(this.#wallClock()),
        });
        const authentication = this.#accept(payload, app, rules);
        if (authentication.ok && credentials === this.#credentials)
          this.#remember(digest, { authentication, expiresAt: (payload.exp ?? 0) * 1_000 });
        return authentication;
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        return refuse('The token is expired, not valid yet, or not meant for this bridge.');
      }
    }
    return refuse('The token is not signed with a secret of its app.');
  }

  #accept(
    { exp = 0, iat = 0, scope }: { exp?: number; iat?: number; scope?: unknown },
    app: string,
    rules: AppRules,
  ): Authentication {
    const now = this.#wallClock() / 1_000;
    if (exp - iat > TOKEN_MAX_SECONDS)
      return refuse(`The token lives longer than ${TOKEN_MAX_SECONDS} seconds.`);
    if (iat > now + CLOCK_TOLERANCE_SECONDS) return refuse('The token was issued in the future.');
    const scopes = typeof scope === 'string' ? scope.split(' ') : [];
    if (!scopes.includes(TOKEN_SCOPE)) {
      return {
        ok: false,
        code: 'forbidden',
        message: `The token's scope does not include "${TOKEN_SCOPE}".`,
      };
    }
    return { ok: true, app, rules };
  }

  #remember(digest: string, remembered: Remembered): void {
    if (this.#remembered.size >= MOST_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(digest, remembered);
  }
}

interface Credentials {
  readonly rules: AppRules;
  readonly keys: readonly Uint8Array[];
}

interface Remembered {
  readonly authentication: Authentication;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

const NO_CREDENTIALS: Credentials = { rules: { secrets: [] }, keys: [] };

function readIssuer(token: string): string | null {
  try {
    // Its type is what RFC 7519 says; what was sent may be a number, which would pass for the name that it reads as.
    const { iss }: { iss?: unknown } = decodeJwt(token);
    return typeof iss === 'string' && APP_NAME.test(iss) ? iss : null;
  } catch {
    // Not a token at all.
    return null;
  }
}

function refuse(message: string): Authentication {
  return { ok: false, code: 'unauthorized', message };
}
