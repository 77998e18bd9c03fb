/** What the options become once the environment and the defaults are filled in and all values are checked. */
import type { JWK } from 'jose';
import { isWorkBoundToVisits, systemClock, systemRandom } from './platform.ts';
import { jsonCodec, type DataCodec } from './codec.ts';
import type { OnEvent } from './events.ts';
import {
  DEFAULTS,
  defaultTouchAfter,
  type CacheOptions,
  type CookieOptions,
  type SessionOptions,
} from './options.ts';
import type { Clock, Fetch, RandomBytes, RecordCodec, Sealer, WaitUntil } from './ports.ts';
import { APP_NAME } from './protocol.ts';
import { assertOptions } from './shapes.ts';

/** Shorter secrets can be guessed (RFC 7518, section 3.2: a key of at least the hash's length). */
const SHORTEST_SECRET_BYTES = 32;
const MAKE_A_SECRET = 'Make one with: openssl rand -base64 32';

export interface ResolvedCookie {
  readonly name: string;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly secure: boolean | 'auto';
  readonly maxAge: number | null;
}

interface ResolvedCache {
  readonly maxBytes: number;
  readonly maxEntries: number;
}

/** Options with every default filled in and every value checked. */
export interface ResolvedOptions<T extends object> {
  readonly secrets: readonly string[];
  readonly bridgeUrls: readonly string[];
  readonly bridgeSecret: string;
  readonly bridgeToken: (() => string | Promise<string>) | null;
  readonly app: string;
  readonly ttl: number;
  readonly absoluteTtl: number;
  readonly touchAfterMs: number;
  readonly maxStaleMs: number;
  readonly timeoutMs: number;
  readonly backup: 'await' | 'after';
  readonly fallback: 'cookie' | 'none';
  readonly onConflict: NonNullable<SessionOptions<T>['onConflict']>;
  readonly protection: 'sign' | 'encrypt';
  readonly signingKeys: readonly JWK[];
  readonly codec: DataCodec;
  readonly cookie: ResolvedCookie;
  readonly cache: ResolvedCache;
  /** Infinity where a visit cannot wait for another one's request. */
  readonly maxInFlight: number;
  /** Whether a read that one visit has sent may be awaited by another. */
  readonly isWorkShared: boolean;
  readonly maxRecordBytes: number;
  /** Null where nobody listens. */
  readonly onEvent: OnEvent | null;
  readonly waitUntil: WaitUntil | null;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly sealer: Sealer | null;
  readonly recordCodec: RecordCodec | null;
  readonly holder: object;
}

/**
 * Fills in the environment's values and the defaults.
 * @throws TypeError for the first option that is unknown, missing or out of range.
 */
export function resolveOptions<T extends object>(options: SessionOptions<T>): ResolvedOptions<T> {
  assertOptions(options);
  const ttl = options.ttl ?? DEFAULTS.ttl;
  const isWorkShared = !isWorkBoundToVisits();
  const secrets = secretsOf(options.secret ?? environment('SESSION_SECRET'));
  return {
    secrets,
    bridgeUrls: urlsOf(options.bridgeUrl ?? environment('BRIDGE_URL')),
    bridgeSecret: options.bridgeToken === undefined ? bridgeSecretOf(options.bridgeSecret, secrets) : '',
    bridgeToken: options.bridgeToken ?? null,
    app: appOf(options.app ?? environment('SESSION_APP') ?? DEFAULTS.app),
    ttl,
    absoluteTtl: options.absoluteTtl ?? DEFAULTS.absoluteTtl,
    touchAfterMs: (options.touchAfter ?? defaultTouchAfter(ttl)) * 1000,
    maxStaleMs: (options.maxStale ?? DEFAULTS.maxStale) * 1000,
    timeoutMs: options.timeoutMs ?? DEFAULTS.timeoutMs,
    backup: options.backup ?? DEFAULTS.backup,
    fallback: options.fallback ?? DEFAULTS.fallback,
    onConflict: options.onConflict ?? DEFAULTS.onConflict,
    protection: options.protection ?? DEFAULTS.protection,
    signingKeys: options.signingKeys ?? [],
    codec: options.codec ?? jsonCodec,
    cookie: cookieOf(options.cookie ?? {}),
    cache: cacheOf(options.cache ?? {}),
    maxInFlight: isWorkShared ? (options.maxInFlight ?? DEFAULTS.maxInFlight) : Infinity,
    isWorkShared,
    maxRecordBytes: options.maxRecordBytes ?? DEFAULTS.maxRecordBytes,
    onEvent: options.onEvent ?? null,
    waitUntil: options.waitUntil ?? null,
    // Looked up at each call: frameworks replace the global one while they start.
    fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
    sealer: options.sealer ?? null,
    recordCodec: options.recordCodec ?? null,
    holder: options.holder ?? globalThis,
  };
}

function secretsOf(given: string | readonly string[] | undefined): readonly string[] {
  const secrets = listOf(given);
  if (secrets.length === 0) throw new TypeError(`SESSION_SECRET is not set. ${MAKE_A_SECRET}`);
  for (const secret of secrets) assertLong('secret (SESSION_SECRET)', secret);
  return secrets;
}

function bridgeSecretOf(given: string | undefined, sessionSecrets: readonly string[]): string {
  // A file's last line break comes along where the environment is made from files.
  const secret = (given ?? environment('BRIDGE_SECRET') ?? '').trim();
  if (secret === '') {
    throw new TypeError(
      `BRIDGE_SECRET is not set: it is the one the bridge has for this app. ${MAKE_A_SECRET}`,
    );
  }
  assertLong('bridgeSecret (BRIDGE_SECRET)', secret);
  if (secret.includes(',')) {
    throw new TypeError(
      'bridgeSecret (BRIDGE_SECRET) must be one secret: while it is changed the bridges have two, and an app the new one.',
    );
  }
  if (sessionSecrets.includes(secret)) {
    throw new TypeError(
      `bridgeSecret (BRIDGE_SECRET) must be another than secret (SESSION_SECRET): the bridge, which knows it, could forge sessions. ${MAKE_A_SECRET}`,
    );
  }
  return secret;
}

function assertLong(what: string, secret: string): void {
  const bytes = new TextEncoder().encode(secret).length;
  if (bytes >= SHORTEST_SECRET_BYTES) return;
  throw new TypeError(
    `${what} must have at least ${SHORTEST_SECRET_BYTES} bytes; one has only ${bytes}. ${MAKE_A_SECRET}`,
  );
}

/** In the environment commas separate the members of a list. */
function listOf(given: string | readonly string[] | undefined): readonly string[] {
  const members = typeof given === 'string' ? given.split(',') : (given ?? []);
  return members.map((member) => member.trim()).filter((member) => member !== '');
}

function urlsOf(given: string | readonly string[] | undefined): readonly string[] {
  const urls = listOf(given);
  if (urls.length === 0) throw new TypeError('BRIDGE_URL is not set, e.g. http://127.0.0.1:4780');
  return urls.map((url) => {
    const parsed = URL.canParse(url) ? new URL(url) : null;
    const isHttp = parsed !== null && (parsed.protocol === 'http:' || parsed.protocol === 'https:');
    // Credentials would end up in error messages of the platform.
    if (!isHttp || parsed.username !== '' || parsed.search !== '' || parsed.hash !== '') {
      throw new TypeError(
        'bridgeUrl (BRIDGE_URL) must be http:// or https:// with host and perhaps a path, and nothing else.',
      );
    }
    return parsed.href.replace(/\/+$/, '');
  });
}

function appOf(app: string): string {
  if (APP_NAME.test(app)) return app;
  throw new TypeError(
    'app (SESSION_APP) must be 1 to 64 of a-z, 0-9, "_" and "-", and start with a letter or digit.',
  );
}

function cookieOf({
  name = DEFAULTS.cookie.name,
  sameSite = DEFAULTS.cookie.sameSite,
  secure = DEFAULTS.cookie.secure,
  maxAge,
}: CookieOptions): ResolvedCookie {
  if (sameSite === 'none' && secure === false) {
    throw new TypeError('cookie.sameSite "none" needs secure cookies: leave out cookie.secure, or say true.');
  }
  return { name, sameSite, secure, maxAge: maxAge ?? null };
}

function cacheOf({
  maxBytes = DEFAULTS.cache.maxBytes,
  maxEntries = DEFAULTS.cache.maxEntries,
}: CacheOptions): ResolvedCache {
  return { maxBytes, maxEntries };
}

/** An environment variable, in runtimes that have such things. */
function environment(name: string): string | undefined {
  // The only place that looks for Node's process, which the core does not otherwise know.
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const value = process?.env?.[name];
  return value === '' ? undefined : value;
}
