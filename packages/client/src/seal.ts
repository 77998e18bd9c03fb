/** Seals for the browser's cookies, made by iron-session, and the memory of those already opened. */
import { sealData, unsealData } from 'iron-session';
import { LRUCache } from 'lru-cache';
import { deriveSealPasswords, type SealPasswords } from './keys.ts';
import type { Sealer, SealPurpose, SealRejection } from './ports.ts';

/** Longer text cannot have come from a cookie that we set. */
const LONGEST_SEAL = 4096;

/** The part of HKDF's info that keeps the purposes apart. */
const KEY_NAMES: Readonly<Record<SealPurpose, string>> = { id: 'seal', data: 'fallback' };

const REJECTIONS: Readonly<Record<'expired' | 'invalid' | 'unknown-password', SealRejection>> = {
  expired: 'expired',
  invalid: 'invalid',
  'unknown-password': 'unknown_key',
};

/** Seals with the first secret, unseals with all; keys are derived once, at the first use. */
export function createSealer(secrets: readonly string[]): Sealer {
  const derived = new Map<SealPurpose, Promise<SealPasswords>>();
  const passwords = (purpose: SealPurpose): Promise<SealPasswords> => {
    let promise = derived.get(purpose);
    if (promise === undefined)
      derived.set(purpose, (promise = deriveSealPasswords(secrets, KEY_NAMES[purpose])));
    return promise;
  };
  return {
    seal: async (purpose, payload, ttlSeconds) =>
      sealData(payload, { password: (await passwords(purpose)).current, ttl: ttlSeconds }),
    unseal: async (purpose, text) => {
      if (text.length > LONGEST_SEAL) return { ok: false, reason: 'invalid' };
      const { current, all } = await passwords(purpose);
      let reason: SealRejection | null = null;
      const payload = await unsealData<unknown>(text, {
        password: all,
        onUnsealError: (why) => (reason = REJECTIONS[why]),
      });
      if (reason !== null) return { ok: false, reason };
      return { ok: true, payload, isCurrent: Object.hasOwn(current, passwordId(text)) };
    },
  };
}

/** `Fe26.2*<password id>*…` */
function passwordId(seal: string): string {
  return seal.split('*', 2)[1] ?? '';
}

/** Who a browser is, as its sealed id says. */
export interface Identity {
  readonly id: string;
  /** The cookie's value. */
  readonly seal: string;
  /** When it was sealed, seconds since 1970. */
  readonly sealedAt: number;
  readonly isCurrent: boolean;
}

/** Seals remembered; one is about 400 bytes. */
const REMEMBERED = 10_000;
/** Milliseconds after which a seal is opened again, so that one that expires is noticed. */
const REMEMBER_MS = 600_000;

/** An identity and until when it may be believed without opening its seal, milliseconds. */
interface Remembered extends Identity {
  readonly until: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** seal → identity. Opening a seal takes about a millisecond, remembering it nothing. */
export class SealMemory {
  readonly #known = new LRUCache<string, Remembered>({ max: REMEMBERED });

  get(seal: string, now: number): Identity | null {
    const known = this.#known.get(seal);
    return known !== undefined && now < known.until ? known : null;
  }

  /** Only what has been unsealed, or has just been sealed. */
  put({ id, seal: given, sealedAt, isCurrent }: Identity, now: number): void {
    // Copied: as a part of a request's Cookie header it would keep all of that in memory.
    const seal = decoder.decode(encoder.encode(given));
    this.#known.set(seal, { id, seal, sealedAt, isCurrent, until: now + REMEMBER_MS });
  }
}
