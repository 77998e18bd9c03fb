/** Seals and signatures of the simulation: they keep the rules of the real ones without their cost. */
import type { RecordCodec, Sealer, SessionRecord } from '../../packages/client/src/ports.ts';

const APP = 'shop';

/** Seals anybody could open; two seals of the same thing differ, as real ones do. */
export function createPlainSealer(now: () => number): Sealer {
  let count = 0;
  return {
    seal: async (purpose, payload, ttlSeconds) => {
      count += 1;
      const text = JSON.stringify({ purpose, payload, endsAt: now() + ttlSeconds * 1_000, count });
      return `${encode(text)}~${checksum(text)}`;
    },
    unseal: async (purpose, text) => {
      const sealed = openSeal(text);
      if (sealed === null || sealed.purpose !== purpose) return { ok: false, reason: 'invalid' };
      if (now() > sealed.endsAt + 60_000) return { ok: false, reason: 'expired' };
      return { ok: true, payload: sealed.payload, isCurrent: true };
    },
  };
}

interface Sealed {
  readonly purpose: string;
  readonly payload: object;
  readonly endsAt: number;
}

function openSeal(text: string): Sealed | null {
  const [encoded = '', sum = ''] = text.split('~');
  const opened = Buffer.from(encoded, 'base64url').toString('latin1');
  // Only what createPlainSealer wrote has its checksum.
  return checksum(opened) === sum ? (JSON.parse(opened) as Sealed) : null;
}

/** What a signed record says, as the store keeps it. */
export interface PlainClaims {
  readonly sub: string;
  readonly aud: string;
  readonly record: Omit<SessionRecord, 'changed'> & { readonly changed: readonly [string, number][] | null };
}

/** Records with a checksum for a signature. */
export const plainRecordCodec: RecordCodec = {
  sign: async (record) => {
    const changed = record.changed === null ? null : [...record.changed];
    const text = JSON.stringify({ sub: record.id, aud: APP, record: { ...record, changed } });
    return `${text}~${checksum(text)}`;
  },
  verify: async (text, { id, startedAfter }) => {
    const claims = readRecord(text);
    if (claims === null) return { ok: false, reason: 'signature' };
    if (claims.sub !== id) return { ok: false, reason: 'subject' };
    if (claims.aud !== APP) return { ok: false, reason: 'audience' };
    if (claims.record.startedAt < startedAfter) return { ok: false, reason: 'expired' };
    return { ok: true, record: toRecord(claims) };
  },
};

/** The claims of a record, or null for what no simulated client wrote. */
export function readRecord(text: string): PlainClaims | null {
  const end = text.lastIndexOf('~');
  const body = text.slice(0, Math.max(0, end));
  // Only what plainRecordCodec wrote has its checksum.
  return checksum(body) === text.slice(end + 1) ? (JSON.parse(body) as PlainClaims) : null;
}

export function toRecord({ record }: PlainClaims): SessionRecord {
  return { ...record, changed: record.changed === null ? null : new Map(record.changed) };
}

function encode(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64url');
}

/** Eight hex digits (FNV-1a). */
export function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
