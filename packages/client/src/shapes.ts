/** What each option may be, and the error for whatever else is given. */
import type { CacheOptions, CookieOptions, SessionOptions } from './options.ts';
import { LIMITS } from './protocol.ts';

/** Throws a TypeError that names the option and says what it may be. Never quotes the value: it may be a secret. */
type Check = (name: string, value: unknown) => void;

/** Ten years, seconds. */
const LONGEST_ABSOLUTE = 315_360_000;
/** The cache takes room for all its entries when it is made. */
const MOST_ENTRIES = 2 ** 24;
/**
 * Names that browsers and servers take for a cookie (RFC 6265, section 4.1.1: a token), and that neither are a prefix
 * nor could be the second cookie of another name.
 */
const COOKIE_NAME = /^(?!__)(?!.*-at$)[A-Za-z0-9_-]{1,64}$/;

const text = check('text', (value) => typeof value === 'string');
const textOrList = check(
  'text or a list of texts',
  (value) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string')),
);
const seconds = check('a number of seconds, 0 or more', (value) => typeof value === 'number' && value >= 0);
const func = check('a function', isFunction);

const cookie = fields({
  name: check(
    '1 to 64 letters, digits, "_" and "-", without a prefix like __Host- and without -at at its end: they are added',
    (value) => typeof value === 'string' && COOKIE_NAME.test(value),
  ),
  maxAge: wholeNumber(LONGEST_ABSOLUTE),
  sameSite: oneOf('lax', 'strict', 'none'),
  secure: oneOf('auto', true, false),
} satisfies Record<keyof CookieOptions, Check>);

const cache = fields({
  maxBytes: wholeNumber(Number.MAX_SAFE_INTEGER),
  maxEntries: wholeNumber(MOST_ENTRIES),
} satisfies Record<keyof CacheOptions, Check>);

const session = fields({
  secret: textOrList,
  bridgeUrl: textOrList,
  bridgeSecret: text,
  app: text,
  ttl: wholeNumber(LIMITS.ttlSeconds),
  absoluteTtl: wholeNumber(LONGEST_ABSOLUTE),
  touchAfter: seconds,
  maxStale: seconds,
  timeoutMs: wholeNumber(600_000),
  backup: oneOf('await', 'after'),
  fallback: oneOf('cookie', 'none'),
  onConflict: check(
    '"merge", "reject" or a function',
    (value) => value === 'merge' || value === 'reject' || isFunction(value),
  ),
  protection: oneOf('sign', 'encrypt'),
  signingKeys: check(
    'a list of at least one JWK; leave it out to sign with the secret',
    (value) => Array.isArray(value) && value.length > 0 && value.every(isRecord),
  ),
  codec: check(
    'an object with name (text), encode and decode (functions)',
    (value) => isRecord(value) && isName(value['name']) && hasMethods(value, ['encode', 'decode']),
  ),
  cookie,
  cache,
  maxInFlight: wholeNumber(100_000),
  maxRecordBytes: wholeNumber(2 ** 30),
  onEvent: func,
  waitUntil: func,
  fetch: func,
  clock: methods('now', 'after'),
  random: func,
  bridgeToken: func,
  sealer: methods('seal', 'unseal'),
  recordCodec: methods('sign', 'verify'),
  holder: check('an object', (value) => isRecord(value) || isFunction(value)),
} satisfies Record<keyof SessionOptions, Check>);

/** @throws TypeError for the first option that does not exist, or is given as what it cannot be. */
export function assertOptions(options: unknown): void {
  session('', options);
}

/** @throws TypeError for what is given in place of a function. */
export function assertFunction(name: string, value: unknown): void {
  func(name, value);
}

function check(what: string, isFine: (value: unknown) => boolean): Check {
  return (name, value) => {
    if (!isFine(value)) throw new TypeError(`${name} must be ${what}.`);
  };
}

function wholeNumber(most: number): Check {
  return check(
    `a whole number from 1 to ${most}`,
    (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most,
  );
}

function oneOf(...allowed: readonly (string | boolean)[]): Check {
  const list = allowed.map((one) => JSON.stringify(one)).join(', ');
  return check(`one of ${list}`, (value) => allowed.some((one) => one === value));
}

function methods(...names: readonly string[]): Check {
  const what = `an object with the functions ${names.join(', ')}`;
  return check(what, (value) => isRecord(value) && hasMethods(value, names));
}

/** An object with these fields, each of which may be left out or undefined, and no others. */
function fields(checks: Readonly<Record<string, Check>>): Check {
  return (name, value) => {
    if (!isRecord(value)) throw new TypeError(`${name || 'What is given as options'} must be an object.`);
    for (const [field, given] of Object.entries(value)) {
      const path = name === '' ? field : `${name}.${field}`;
      const checkField = Object.hasOwn(checks, field) ? checks[field] : undefined;
      if (checkField === undefined) {
        const known = Object.keys(checks).join(', ');
        throw new TypeError(`There is no option ${path}. Known here: ${known}.`);
      }
      if (given !== undefined) checkField(path, given);
    }
  };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function';
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function hasMethods(value: Readonly<Record<string, unknown>>, names: readonly string[]): boolean {
  return names.every((name) => isFunction(value[name]));
}
