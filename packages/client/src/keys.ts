/** Every key, derived from the secrets by HKDF: one secret, many keys, none of use for anything else. */
import { base64url, calculateJwkThumbprint, importJWK, type CryptoKey, type JWK } from 'jose';

/** The algorithms a record may have; one key has exactly one of them. */
export type RecordAlgorithm = 'HS256' | 'EdDSA' | 'ES256' | 'dir';

export interface RecordKey {
  readonly kid: string;
  readonly algorithm: RecordAlgorithm;
  /** For making records; null in a key that only verifies. */
  readonly signing: CryptoKey | null;
  readonly verifying: CryptoKey;
}

/** iron-session's passwords by id; the id is derived too, so that the order of secrets may change. */
export interface SealPasswords {
  readonly current: Readonly<Record<string, string>>;
  readonly all: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();

/** The password that seals and all that unseal, for one purpose. */
export async function deriveSealPasswords(
  secrets: readonly string[],
  purpose: string,
): Promise<SealPasswords> {
  const derived = await Promise.all(secrets.map((secret) => deriveSealPassword(secret, purpose)));
  const first = derived[0];
  if (first === undefined) throw new TypeError('At least one secret is needed.');
  return {
    current: { [first.id]: first.password },
    all: Object.fromEntries(derived.map(({ id, password }) => [id, password])),
  };
}

async function deriveSealPassword(
  secret: string,
  purpose: string,
): Promise<{ id: string; password: string }> {
  const [password, idBytes] = await Promise.all([
    deriveBytes(secret, `memsession ${purpose} v1`, 32),
    deriveBytes(secret, `memsession ${purpose} id v1`, 4),
  ]);
  // A positive number of 31 bits: what iron-session takes as a password's name.
  const id = new DataView(idBytes.buffer).getUint32(0) & 0x7fffffff || 1;
  return { id: String(id), password: base64url.encode(password) };
}

/** The HMAC keys of all secrets, in their order. */
export function deriveSigningKeys(secrets: readonly string[]): Promise<RecordKey[]> {
  return Promise.all(
    secrets.map(async (secret) => {
      const bytes = await deriveBytes(secret, 'memsession record v1', 32);
      const hmac = { name: 'HMAC', hash: 'SHA-256' };
      const key = await crypto.subtle.importKey('raw', bytes, hmac, false, ['sign', 'verify']);
      const kid = await deriveKid(secret, 'record');
      return { kid, algorithm: 'HS256', signing: key, verifying: key };
    }),
  );
}

/** The encryption keys of all secrets, in their order. */
export function deriveEncryptionKeys(secrets: readonly string[]): Promise<RecordKey[]> {
  return Promise.all(
    secrets.map(async (secret) => {
      const bytes = await deriveBytes(secret, 'memsession record encryption v1', 32);
      const key = await crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
      const kid = await deriveKid(secret, 'record encryption');
      return { kid, algorithm: 'dir', signing: key, verifying: key };
    }),
  );
}

/** Keys of one's own: Ed25519 or P-256, private (signs and verifies) or public (verifies). */
export function importRecordKeys(jwks: readonly JWK[]): Promise<RecordKey[]> {
  return Promise.all(
    jwks.map(async (jwk) => {
      const algorithm = algorithmOf(jwk);
      const { d, key_ops: _operations, use: _use, ext: _extractable, ...open } = jwk;
      const verifying = asCryptoKey(await importJWK(open, algorithm));
      const signing = d === undefined ? null : asCryptoKey(await importJWK({ ...open, d }, algorithm));
      const kid = jwk.kid ?? (await calculateJwkThumbprint(jwk));
      return { kid, algorithm, signing, verifying };
    }),
  );
}

/**
 * The algorithm of a key of one's own.
 * @throws TypeError for a key of another kind.
 */
export function algorithmOf(jwk: JWK): RecordAlgorithm {
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return 'EdDSA';
  if (jwk.kty === 'EC' && jwk.crv === 'P-256') return 'ES256';
  throw new TypeError(
    'A signing key is a JWK of type OKP with curve Ed25519 or of type EC with curve P-256.',
  );
}

function asCryptoKey(key: CryptoKey | Uint8Array): CryptoKey {
  if (key instanceof Uint8Array) throw new TypeError('A signing key is a key pair, not a shared secret.');
  return key;
}

async function deriveKid(secret: string, use: string): Promise<string> {
  return base64url.encode(await deriveBytes(secret, `memsession ${use} kid v1`, 6));
}

/** HKDF-SHA256 (RFC 5869) without salt: the secrets are random already. */
async function deriveBytes(secret: string, info: string, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), 'HKDF', false, ['deriveBits']);
  const parameters = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(0),
    info: encoder.encode(info),
  };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, length * 8));
}
