/** The token with which the client shows a bridge who it is. */
import { SignJWT } from 'jose';
import type { Clock } from './ports.ts';
import { TOKEN_AUDIENCE, TOKEN_MAX_SECONDS, TOKEN_SCOPE } from './protocol.ts';

/** Milliseconds before its end at which a token is replaced; bridges' clocks may differ by so much. */
const AHEAD_MS = 90_000;

export interface TokenOptions {
  readonly app: string;
  readonly bridgeSecret: string;
  readonly clock: Clock;
}

/** Where a request gets its token. */
export interface TokenSource {
  /** A promise only when there is none yet. */
  get(): string | Promise<string>;
  /**
   * Forgets the token: a bridge refused it. `bridgeTime`, milliseconds since 1970, is what the bridge took the
   * time to be.
   */
  drop(bridgeTime?: number): void;
}

/** Makes tokens and keeps the last one; the next is made before the last one ends. */
export class TokenMaker implements TokenSource {
  readonly #options: TokenOptions;
  readonly #secret: Uint8Array;
  #token: string | null = null;
  #endsAt = 0;
  /**
   * How far the bridges' clock is ahead of this instance's, milliseconds. Learnt only when a token is refused: an
   * instance whose clock is wrong would otherwise be shut out from its sessions.
   */
  #aheadMs = 0;
  #making: Promise<string> | null = null;

  constructor(options: TokenOptions) {
    this.#options = options;
    this.#secret = new TextEncoder().encode(options.bridgeSecret);
  }

  get(): string | Promise<string> {
    const left = this.#endsAt - this.#now();
    if (this.#token === null || left <= AHEAD_MS / 3) return this.#make();
    if (left <= AHEAD_MS) void this.#make();
    return this.#token;
  }

  drop(bridgeTime?: number): void {
    this.#token = null;
    if (bridgeTime !== undefined) this.#aheadMs = bridgeTime - this.#options.clock.now();
  }

  #now(): number {
    return this.#options.clock.now() + this.#aheadMs;
  }

  #make(): Promise<string> {
    this.#making ??= this.#sign().finally(() => (this.#making = null));
    return this.#making;
  }

  async #sign(): Promise<string> {
    const issuedAt = Math.floor(this.#now() / 1000);
    const endsAt = issuedAt + TOKEN_MAX_SECONDS;
    const token = await new SignJWT({ scope: TOKEN_SCOPE })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setIssuer(this.#options.app)
      .setAudience(TOKEN_AUDIENCE)
      .setIssuedAt(issuedAt)
      .setExpirationTime(endsAt)
      .sign(this.#secret);
    this.#token = token;
    this.#endsAt = endsAt * 1000;
    return token;
  }
}
