/** Checks that a record was signed by its app, where the operator gave the app's public keys. */
import {
  calculateJwkThumbprint,
  compactVerify,
  type CryptoKey,
  decodeProtectedHeader,
  importJWK,
} from 'jose';
import type { Apps, PublicKey } from './apps-file.ts';

/** What a record is stored as. */
export interface RecordClaim {
  readonly app: string;
  readonly id: string;
  readonly version: number;
  readonly record: Buffer;
}

interface Key {
  readonly algorithm: 'EdDSA' | 'ES256';
  readonly key: CryptoKey | Uint8Array;
}

const RECORD_TYPE = 'memsession+jwt';

/** The public keys of all apps, imported once. */
export class RecordCheck {
  /** By app; null where all records are stored. */
  #keys: ReadonlyMap<string, Promise<ReadonlyMap<string, Key>> | null> = new Map();

  constructor(apps: Apps) {
    this.setApps(apps);
  }

  /** Puts other apps and keys in force at once. */
  setApps(apps: Apps): void {
    this.#keys = new Map(
      [...apps].map(([app, { publicKeys }]) => [
        app,
        publicKeys === undefined ? null : importKeys(publicKeys),
      ]),
    );
  }

  /** Whether the record may be stored: always, when its app has no public keys. */
  async isGenuine(claim: RecordClaim): Promise<boolean> {
    const keys = this.#keys.get(this.#keys.has(claim.app) ? claim.app : '*') ?? null;
    return keys === null || isSigned(claim, await keys);
  }
}

/** A key that cannot be imported signs nothing. */
async function importKeys(publicKeys: readonly PublicKey[]): Promise<ReadonlyMap<string, Key>> {
  const keys = await Promise.all(publicKeys.map((each) => importKey(each).catch(() => null)));
  return new Map(keys.filter((key) => key !== null));
}

async function importKey(publicKey: PublicKey): Promise<readonly [string, Key]> {
  const { kty, crv, x, y, kid } = publicKey;
  const jwk = { kty, crv, x, ...(y === undefined ? {} : { y }) };
  const algorithm = crv === 'Ed25519' ? 'EdDSA' : 'ES256';
  return [
    kid ?? (await calculateJwkThumbprint(jwk)),
    { algorithm, key: await importJWK(jwk, algorithm) },
  ] as const;
}

async function isSigned({ record, ...claim }: RecordClaim, keys: ReadonlyMap<string, Key>): Promise<boolean> {
  try {
    const text = record.toString('latin1');
    const { kid, typ, alg } = decodeProtectedHeader(text);
    // The algorithm belongs to the key, never to the message.
    const key = typeof kid === 'string' ? keys.get(kid) : undefined;
    if (key === undefined || typ !== RECORD_TYPE || alg !== key.algorithm) return false;
    const { payload } = await compactVerify(text, key.key, { algorithms: [key.algorithm] });
    const claims: unknown = JSON.parse(new TextDecoder().decode(payload));
    return isAbout(claims, claim);
  } catch {
    // Not a JWS, or not signed with this key.
    return false;
  }
}

function isAbout(claims: unknown, { app, id, version }: Omit<RecordClaim, 'record'>): boolean {
  if (typeof claims !== 'object' || claims === null) return false;
  if (!('sub' in claims) || !('aud' in claims) || !('ver' in claims)) return false;
  return claims.sub === id && claims.aud === app && claims.ver === version;
}
