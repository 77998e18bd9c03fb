/** The interfaces behind which time, randomness, the network, sealing and signing stand. */

/** Time as the client sees it, so that tests and simulations can own it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Milliseconds that never go back, from any beginning. Without it, time stands still while the clock is being
   * set back, and what was confirmed before counts as fresh for that much longer.
   */
  elapsed?(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Cryptographically random bytes. */
export type RandomBytes = (length: number) => Uint8Array<ArrayBuffer>;

/** The part of the platform's `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Takes a promise that is to be finished after the answer has left, e.g. `ctx.waitUntil`. */
export type WaitUntil = (work: Promise<unknown>) => void;

/** What a verified record says. */
export interface SessionRecord {
  /** 32 upper-case hex digits (`sub`). */
  readonly id: string;
  /** Counts the session's saves, from 1 (`ver`). */
  readonly version: number;
  /** When this version was saved, seconds since 1970 (`iat`). */
  readonly savedAt: number;
  /** When the session began, seconds since 1970 (`ini`). */
  readonly startedAt: number;
  /** Names this save, so that its writer knows it again (`jti`); empty in a foreign record. */
  readonly nonce: string;
  /** The nonces of the saves before this one, newest first, at most eight (`log`). */
  readonly log: readonly string[];
  /** The version in which each field last changed, also of deleted fields (`chg`); null when unknown. */
  readonly changed: ReadonlyMap<string, number> | null;
  /** No field that `changed` does not list was deleted after this version (`cut`). */
  readonly cut: number;
  /** Which codec made the fields (`cdc`). */
  readonly codec: string;
  /** The fields: the JSON text of one object, free of keys that reach a prototype. */
  readonly data: string;
  /** Nothing comes after this version: the session has gone on under another id (`end`). It has no data. */
  readonly isEnd?: true;
}

/** Why a stored record is not believed. */
export type RecordRejection =
  | 'malformed'
  | 'header'
  | 'algorithm'
  | 'type'
  | 'unknown_key'
  | 'signature'
  | 'claims'
  | 'subject'
  | 'audience'
  | 'expired'
  | 'codec';

export type VerifiedRecord =
  | { readonly ok: true; readonly record: SessionRecord }
  | { readonly ok: false; readonly reason: RecordRejection };

/** What a reader demands of a record. */
export interface RecordExpectation {
  readonly id: string;
  /** The earliest beginning that the absolute lifetime allows, seconds since 1970. */
  readonly startedAfter: number;
}

/** Makes the blob that is stored, and believes only its own. */
export interface RecordCodec {
  /** A compact JWS or JWE, or whatever else {@link RecordCodec.verify} reads. */
  sign(record: SessionRecord): Promise<string>;
  /** Never throws for any text. */
  verify(text: string, expected: RecordExpectation): Promise<VerifiedRecord>;
}

/** What a seal is for: an id cannot be passed off as data, nor data as an id. */
export type SealPurpose = 'id' | 'data';

/** Why a sealed cookie is not believed. */
export type SealRejection = 'invalid' | 'expired' | 'unknown_key';

export type Unsealed =
  | {
      readonly ok: true;
      readonly payload: unknown;
      /** False when an older secret made the seal, so that it is due to be made again. */
      readonly isCurrent: boolean;
    }
  | { readonly ok: false; readonly reason: SealRejection };

/** Encrypts what the browser carries. */
export interface Sealer {
  /** Text that is safe in a cookie; unsealing it fails after `ttlSeconds`. */
  seal(purpose: SealPurpose, payload: object, ttlSeconds: number): Promise<string>;
  /** Never throws for any text. */
  unseal(purpose: SealPurpose, text: string): Promise<Unsealed>;
}
