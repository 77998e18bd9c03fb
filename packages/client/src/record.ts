/** The signed blob that is stored: a JWS, or a JWE when it is to be unreadable too. */
import {
  CompactEncrypt,
  CompactSign,
  compactDecrypt,
  compactVerify,
  decodeProtectedHeader,
  type JWK,
} from 'jose';
import { parseSafeJson } from './codec.ts';
import {
  algorithmOf,
  deriveEncryptionKeys,
  deriveSigningKeys,
  importRecordKeys,
  type RecordAlgorithm,
  type RecordKey,
} from './keys.ts';
import { LOG_LENGTH } from './history.ts';
import type {
  RecordCodec,
  RecordExpectation,
  RecordRejection,
  SessionRecord,
  VerifiedRecord,
} from './ports.ts';
import { LIMITS } from './protocol.ts';
import { RESERVED_KEYS } from './session.ts';

/** `typ` of every record (RFC 8725, section 3.11: explicit typing). */
export const RECORD_TYPE = 'memsession+jwt';

export interface RecordOptions {
  readonly app: string;
  /** The first signs, all verify. */
  readonly secrets: readonly string[];
  readonly protection: 'sign' | 'encrypt';
  /** Key pairs: the first private one signs, where there is one, in place of the secret; all verify. */
  readonly signingKeys: readonly JWK[];
}

interface Keyring {
  /** Null when there is neither a secret nor a private key: then records can be read and not made. */
  readonly current: RecordKey | null;
  readonly byKid: ReadonlyMap<string, RecordKey>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Header parameters a record may have; `jku`, `jwk`, `x5u`, `crit`, `zip` and the like are refused by this. */
const HEADER: ReadonlySet<string> = new Set(['alg', 'enc', 'kid', 'typ']);
const ALGORITHMS: ReadonlySet<unknown> = new Set<RecordAlgorithm>(['HS256', 'EdDSA', 'ES256', 'dir']);
const ENCRYPTION = 'A256GCM';

/**
 * Signs and verifies with jose; keys are derived and imported once, at the first use.
 * @throws TypeError for a signing key of a kind that is not supported.
 */
export function createRecordCodec(options: RecordOptions): RecordCodec {
  for (const key of options.signingKeys) algorithmOf(key);
  let keyring: Promise<Keyring> | null = null;
  const keys = (): Promise<Keyring> => (keyring ??= loadKeyring(options));
  return {
    sign: async (record) => signRecord(record, (await keys()).current, options.app),
    verify: async (text, expected) => verifyRecord(text, { ...expected, app: options.app }, await keys()),
  };
}

async function loadKeyring({ secrets, protection, signingKeys }: RecordOptions): Promise<Keyring> {
  const [signing, encryption, own] = await Promise.all([
    deriveSigningKeys(secrets),
    deriveEncryptionKeys(secrets),
    importRecordKeys(signingKeys),
  ]);
  const candidates = protection === 'encrypt' ? encryption : [...own, ...signing];
  const current = candidates.find((key) => key.signing !== null) ?? null;
  // A Map: a kid such as "__proto__" is only a key that is not there.
  const byKid = new Map([...signing, ...encryption, ...own].map((key) => [key.kid, key]));
  return { current, byKid };
}

async function signRecord(record: SessionRecord, key: RecordKey | null, app: string): Promise<string> {
  if (key === null || key.signing === null) {
    throw new TypeError('There is neither a secret nor a private key, so records can only be read.');
  }
  const payload = encoder.encode(writeClaims(record, app));
  const header = { kid: key.kid, typ: RECORD_TYPE };
  if (key.algorithm === 'dir') {
    return new CompactEncrypt(payload)
      .setProtectedHeader({ alg: 'dir', enc: ENCRYPTION, ...header })
      .encrypt(key.signing);
  }
  return new CompactSign(payload).setProtectedHeader({ alg: key.algorithm, ...header }).sign(key.signing);
}

/** The data is JSON text already; only the other claims are written here. */
function writeClaims(record: SessionRecord, app: string): string {
  const claims = {
    sub: record.id,
    aud: app,
    ver: record.version,
    iat: record.savedAt,
    ini: record.startedAt,
    ...(record.nonce === '' ? {} : { jti: record.nonce, log: record.log }),
    ...(record.changed === null ? {} : { chg: Object.fromEntries(record.changed), cut: record.cut }),
    ...(record.codec === 'json' ? {} : { cdc: record.codec }),
    ...(record.isEnd === true ? { end: true } : {}),
  };
  return `${JSON.stringify(claims).slice(0, -1)},"data":${record.data}}`;
}

type Expected = RecordExpectation & { readonly app: string };

async function verifyRecord(text: string, expected: Expected, keys: Keyring): Promise<VerifiedRecord> {
  const header = readHeader(text);
  if (header === null) return reject('malformed');
  if (Object.keys(header).some((name) => !HEADER.has(name))) return reject('header');
  if (!ALGORITHMS.has(header['alg'])) return reject('algorithm');
  if (header['typ'] !== RECORD_TYPE) return reject('type');
  const key = typeof header['kid'] === 'string' ? keys.byKid.get(header['kid']) : undefined;
  if (key === undefined) return reject('unknown_key');
  // The algorithm belongs to the key, never to the message.
  if (header['alg'] !== key.algorithm) return reject('algorithm');
  const payload = await openRecord(text, key);
  if (payload === null) return reject('signature');
  return readClaims(payload, expected);
}

function readHeader(text: string): Record<string, unknown> | null {
  try {
    return { ...decodeProtectedHeader(text) };
  } catch {
    return null;
  }
}

async function openRecord(text: string, key: RecordKey): Promise<Uint8Array | null> {
  try {
    if (key.algorithm === 'dir') {
      const algorithms = { keyManagementAlgorithms: ['dir'], contentEncryptionAlgorithms: [ENCRYPTION] };
      return (await compactDecrypt(text, key.verifying, algorithms)).plaintext;
    }
    return (await compactVerify(text, key.verifying, { algorithms: [key.algorithm] })).payload;
  } catch {
    return null;
  }
}

function readClaims(payload: Uint8Array, expected: Expected): VerifiedRecord {
  const claims = parseObject(payload);
  if (claims === null) return reject('claims');
  const { sub, aud, ver, iat, ini } = claims;
  if (sub !== expected.id) return reject('subject');
  if (aud !== expected.app) return reject('audience');
  if (!isWhole(ver, LIMITS.version) || ver < 1 || !isWhole(iat) || !isWhole(ini)) return reject('claims');
  if (ini < expected.startedAfter) return reject('expired');
  const { data, cdc = 'json' } = claims;
  if (!isObject(data) || typeof cdc !== 'string') return reject('claims');
  // A field of such a name would take the place of a method.
  if (Object.keys(data).some((key) => RESERVED_KEYS.has(key))) return reject('claims');
  return {
    ok: true,
    record: {
      // The text that the caller has already, not another one like it: many of both are kept.
      id: expected.id,
      version: ver,
      savedAt: iat,
      startedAt: ini,
      ...readHistory(claims),
      codec: cdc,
      data: JSON.stringify(data),
      ...(claims['end'] === true ? { isEnd: true } : {}),
    },
  };
}

/** The claims that other writers may leave out. */
function readHistory(
  claims: Record<string, unknown>,
): Pick<SessionRecord, 'nonce' | 'log' | 'changed' | 'cut'> {
  const { jti, log, chg, cut } = claims;
  return {
    nonce: typeof jti === 'string' ? jti : '',
    log: readLog(log),
    changed: readChanged(chg),
    cut: isWhole(cut, LIMITS.version) ? cut : 0,
  };
}

/** The nonces in a list from a verified token. */
export function readLog(log: unknown, most: number = LOG_LENGTH): readonly string[] {
  if (!Array.isArray(log)) return [];
  return log.filter((nonce): nonce is string => typeof nonce === 'string').slice(0, most);
}

/** Field → version from a verified token, or null when it has none. */
export function readChanged(chg: unknown): ReadonlyMap<string, number> | null {
  if (!isObject(chg)) return null;
  const versions = new Map<string, number>();
  for (const [key, version] of Object.entries(chg)) {
    if (isWhole(version, LIMITS.version)) versions.set(key, version);
  }
  return versions;
}

function parseObject(payload: Uint8Array): Record<string, unknown> | null {
  try {
    const value = parseSafeJson(decoder.decode(payload));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** Whether it is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it is a whole number from 0 to `most`. */
export function isWhole(value: unknown, most: number = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most;
}

function reject(reason: RecordRejection): VerifiedRecord {
  return { ok: false, reason };
}
