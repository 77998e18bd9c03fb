/** Who may use the operator's listener: a token for programs, a short session behind a cookie for the browser. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Logger } from 'pino';

export interface AdminAccessOptions {
  /** Any of them opens. */
  readonly tokens: readonly string[];
  /** Epoch milliseconds. */
  readonly wallClock: () => number;
  /** Hears of tokens that were refused. */
  readonly log: Pick<Logger, 'warn'>;
}

/** Ends a browser's session when it was not used for so long, milliseconds. */
const IDLE_MS = 1_800_000;
/** And after so long in any case. */
const LONGEST_MS = 28_800_000;
const MOST_SESSIONS = 100;
/** Whoever guesses does it by the thousand, milliseconds. */
const LOG_EVERY_MS = 1_000;

interface Session {
  readonly endsAt: number;
  idleAt: number;
}

/** Compares tokens in constant time, and keeps the browsers that have logged in with one. */
export class AdminAccess {
  readonly #digests: readonly Buffer[];
  readonly #wallClock: () => number;
  /** By the hash of the cookie's value. */
  readonly #sessions: Map<string, Session> = new Map();
  readonly #log: Pick<Logger, 'warn'>;
  /** Tokens refused since the last line about them. */
  #refused = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor({ tokens, wallClock, log }: AdminAccessOptions) {
    this.#digests = tokens.map(digest);
    this.#wallClock = wallClock;
    this.#log = log;
  }

  /**
   * Whether the token is one of those that open. Takes as long for any token. One that is refused is logged and
   * slows nothing down: nobody guesses 32 bytes, but anybody could keep operators out that way.
   */
  isToken(token: string): boolean {
    const given = digest(token);
    let isKnown = false;
    for (const known of this.#digests) isKnown = timingSafeEqual(known, given) || isKnown;
    if (!isKnown) this.#tellRefusal();
    return isKnown;
  }

  /** Whether an `Authorization` header carries a token that opens. */
  isAuthorized(header: string | undefined): boolean {
    const token = /^Bearer (.+)$/i.exec(header ?? '')?.[1];
    return token !== undefined && this.isToken(token);
  }

  /** A new session for a browser whose token was checked; the value for its cookie. */
  open(): string {
    const now = this.#wallClock();
    for (const [key, session] of this.#sessions) if (isOver(session, now)) this.#sessions.delete(key);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size >= MOST_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    const value = randomBytes(32).toString('base64url');
    this.#sessions.set(keyOf(value), { endsAt: now + LONGEST_MS, idleAt: now + IDLE_MS });
    return value;
  }

  /** Whether a cookie's value belongs to a session; using it keeps it open. */
  isOpen(value: string | undefined): boolean {
    if (value === undefined) return false;
    const now = this.#wallClock();
    const session = this.#sessions.get(keyOf(value));
    if (session === undefined || isOver(session, now)) return false;
    session.idleAt = now + IDLE_MS;
    return true;
  }

  close(value: string): void {
    this.#sessions.delete(keyOf(value));
  }

  #tellRefusal(): void {
    this.#refused += 1;
    const now = this.#wallClock();
    if (now - this.#toldAt < LOG_EVERY_MS) return;
    this.#log.warn({ refused: this.#refused }, "a token was refused on the operator's listener");
    this.#toldAt = now;
    this.#refused = 0;
  }
}

function isOver({ endsAt, idleAt }: Session, now: number): boolean {
  return now >= endsAt || now >= idleAt;
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function keyOf(value: string): string {
  return digest(value).toString('base64');
}
