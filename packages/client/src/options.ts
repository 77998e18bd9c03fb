/** Every option with its unit and its default. */
import type { JWK } from 'jose';
import type { DataCodec } from './codec.ts';
import type { OnEvent } from './events.ts';
import type { Clock, Fetch, RandomBytes, RecordCodec, Sealer, WaitUntil } from './ports.ts';

/** A conflict as an `onConflict` function sees it; all three are the app's data. */
export interface Conflict<T extends object> {
  /** What this request started from. */
  readonly base: Partial<T>;
  /** What it wants to save. */
  readonly mine: Partial<T>;
  /** What another request saved in the meantime. */
  readonly theirs: Partial<T>;
}

export interface CookieOptions {
  /** Name after `__Host-`; the second cookie is called the same with `-at`. Default `session`. */
  name?: string | undefined;
  /** Seconds until the browser forgets the cookies; without it they go when the browser is closed. */
  maxAge?: number | undefined;
  /** Default `lax`. */
  sameSite?: 'lax' | 'strict' | 'none' | undefined;
  /**
   * `true`: always `__Host-` and Secure. `false`: never, for plain http. Default `auto`: never on plain-http
   * localhost, always elsewhere. Say `true` where a proxy speaks plain http to an app that it calls localhost.
   */
  secure?: boolean | 'auto' | undefined;
}

export interface CacheOptions {
  /** Bytes of all sessions that an instance holds. Default 32 MiB. */
  maxBytes?: number | undefined;
  /** Sessions that an instance holds. Default 50,000. */
  maxEntries?: number | undefined;
}

export interface SessionOptions<T extends object = Record<string, unknown>> {
  /** At least 32 bytes; of several, the first seals and signs and all verify. Default `SESSION_SECRET`. */
  secret?: string | readonly string[] | undefined;
  /** The bridges, tried in turn. Default `BRIDGE_URL`, separated by commas. */
  bridgeUrl?: string | readonly string[] | undefined;
  /** The bridge's secret for this app, at least 32 bytes. Default `BRIDGE_SECRET`. */
  bridgeSecret?: string | undefined;
  /** The app's name: an app reaches only its own sessions. Default `SESSION_APP`, else `default`. */
  app?: string | undefined;
  /** Idle lifetime, seconds; at most 30 days. Default 86,400 (one day). */
  ttl?: number | undefined;
  /** Absolute lifetime, seconds from the session's beginning. Default 2,592,000 (30 days). */
  absoluteTtl?: number | undefined;
  /** Seconds after which a use renews the idle lifetime. Default a tenth of `ttl`, at most 300. */
  touchAfter?: number | undefined;
  /** Seconds for which a cached session is believed unconfirmed; 0 always confirms, Infinity never. Default 5. */
  maxStale?: number | undefined;
  /** Milliseconds for one call to the bridges, all tries together. Default 1,000. */
  timeoutMs?: number | undefined;
  /** `after` hands writes to `waitUntil`, where there is one, and does not wait for them. Default `await`. */
  backup?: 'await' | 'after' | undefined;
  /** Whether saves ride in the browser's cookie while no bridge can be reached. Default `cookie`. */
  fallback?: 'cookie' | 'none' | undefined;
  /**
   * When another save comes first: `merge` re-applies the changed top-level fields, `reject` throws
   * SessionError `conflict`, a function gives the data to store. Default `merge`.
   */
  onConflict?: 'merge' | 'reject' | ((conflict: Conflict<T>) => Partial<T> | Promise<Partial<T>>) | undefined;
  /** `encrypt` makes the records unreadable to nodes and bridges. Default `sign`. */
  protection?: 'sign' | 'encrypt' | undefined;
  /**
   * Key pairs (JWK, Ed25519 or P-256) to sign records with: the first private one signs, all verify. While there
   * are only public ones, the secret goes on signing.
   */
  signingKeys?: readonly JWK[] | undefined;
  /** Carries what JSON cannot. Default JSON. */
  codec?: DataCodec | undefined;
  cookie?: CookieOptions | undefined;
  cache?: CacheOptions | undefined;
  /** Requests to bridges at the same time; what waits meanwhile leaves as one batch. Default 64. */
  maxInFlight?: number | undefined;
  /** Bytes of one record; a larger one is refused before it is sent. Default 524,288. */
  maxRecordBytes?: number | undefined;
  /** Is told what happens; what it throws is ignored. */
  onEvent?: OnEvent | undefined;
  /** Takes work that is to be finished after the answer, e.g. `ctx.waitUntil`; may be given per request. */
  waitUntil?: WaitUntil | undefined;
  /** In place of the platform's `fetch`, e.g. a service binding. */
  fetch?: Fetch | undefined;
  /** For tests and simulations: time. */
  clock?: Clock | undefined;
  /** For tests and simulations: random bytes. */
  random?: RandomBytes | undefined;
  /** For tests and simulations: what the bridge is shown in place of a token made from `bridgeSecret`. */
  bridgeToken?: (() => string | Promise<string>) | undefined;
  /** For tests and simulations: the seals of the cookies. */
  sealer?: Sealer | undefined;
  /** For tests and simulations: the signatures of the records. */
  recordCodec?: RecordCodec | undefined;
  /** For tests and simulations: the object that carries the instance's memory. Default `globalThis`. */
  holder?: object | undefined;
}

export const DEFAULTS = {
  app: 'default',
  ttl: 86_400,
  absoluteTtl: 2_592_000,
  maxStale: 5,
  timeoutMs: 1000,
  backup: 'await',
  fallback: 'cookie',
  onConflict: 'merge',
  protection: 'sign',
  maxInFlight: 64,
  maxRecordBytes: 524_288,
  cookie: { name: 'session', sameSite: 'lax', secure: 'auto' },
  cache: { maxBytes: 33_554_432, maxEntries: 50_000 },
} as const;

/** `touchAfter` when it is not given. */
export function defaultTouchAfter(ttl: number): number {
  return Math.min(Math.floor(ttl / 10), 300);
}
