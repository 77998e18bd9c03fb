/** Who may do what: checks bearer tokens against the apps and secrets that the operator configured. */
import { APP_NAME, TOKEN_AUDIENCE, TOKEN_MAX_SECONDS, TOKEN_SCOPE } from '@memsession/client/protocol';
import { decodeJwt, errors, jwtVerify } from 'jose';

/** Secrets by app name; the name `*` stands for every app that is not named. */
export type Apps = ReadonlyMap<string, { readonly secrets: readonly string[] }>;

export type Authentication =
  | { readonly ok: true; readonly app: string }
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
  readonly #remembered: Map<string, { readonly app: string; readonly expiresAt: number }> = new Map();
  #keys: ReadonlyMap<string, readonly Uint8Array[]> = new Map();

  constructor(options: AuthenticatorOptions) {
    this.#wallClock = options.wallClock;
    this.setApps(options.apps);
  }

  /** Puts other apps and secrets in force at once; tokens are verified anew. */
  setApps(apps: Apps): void {
    const encoder = new TextEncoder();
    this.#keys = new Map(
      [...apps].map(([app, { secrets }]) => [app, secrets.map((secret) => encoder.encode(secret))]),
    );
    this.#remembered.clear();
  }

  /** Who sends this `Authorization` header, or why nobody does. */
  async authenticate(header: string | undefined): Promise<Authentication> {
    const token = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(header ?? '')?.[1];
    if (token === undefined || token.length > LONGEST_TOKEN) {
      return refuse('Authorization: send "Bearer" and a token signed with the app\'s bridge secret.');
    }
    const known = this.#remembered.get(token);
    if (known !== undefined && known.expiresAt > this.#wallClock()) return { ok: true, app: known.app };
    return this.#verify(token);
  }

  async #verify(token: string): Promise<Authentication> {
    const app = readIssuer(token);
    if (app === null) return refuse('The token names no app in its "iss" claim.');
    for (const key of this.#keys.get(app) ?? this.#keys.get('*') ?? []) {
      try {
        const { payload } = await jwtVerify(token, key, {
          algorithms: ['HS256'],
          audience: TOKEN_AUDIENCE,
          issuer: app,
          requiredClaims: ['exp', 'iat'],
          clockTolerance: CLOCK_TOLERANCE_SECONDS,
          currentDate: new Date(this.#wallClock()),
        });
        return this.#accept(token, app, payload);
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        return refuse('The token is expired, not valid yet, or not meant for this bridge.');
      }
    }
    return refuse('The token is not signed with a secret of its app.');
  }

  #accept(
    token: string,
    app: string,
    claims: { exp?: number; iat?: number; scope?: unknown },
  ): Authentication {
    const { exp = 0, iat = 0 } = claims;
    const now = this.#wallClock() / 1_000;
    if (exp - iat > TOKEN_MAX_SECONDS)
      return refuse(`The token lives longer than ${TOKEN_MAX_SECONDS} seconds.`);
    if (iat > now + CLOCK_TOLERANCE_SECONDS) return refuse('The token was issued in the future.');
    const scopes = typeof claims.scope === 'string' ? claims.scope.split(' ') : [];
    if (!scopes.includes(TOKEN_SCOPE)) {
      return {
        ok: false,
        code: 'forbidden',
        message: `The token's scope does not include "${TOKEN_SCOPE}".`,
      };
    }
    this.#remember(token, { app, expiresAt: exp * 1_000 });
    return { ok: true, app };
  }

  #remember(token: string, verified: { readonly app: string; readonly expiresAt: number }): void {
    if (this.#remembered.size >= MOST_REMEMBERED) {
      const [oldest] = this.#remembered.keys();
      if (oldest !== undefined) this.#remembered.delete(oldest);
    }
    this.#remembered.set(token, verified);
  }
}

function readIssuer(token: string): string | null {
  try {
    const { iss } = decodeJwt(token);
    return iss !== undefined && APP_NAME.test(iss) ? iss : null;
  } catch {
    // Not a token at all.
    return null;
  }
}

function refuse(message: string): Authentication {
  return { ok: false, code: 'unauthorized', message };
}
