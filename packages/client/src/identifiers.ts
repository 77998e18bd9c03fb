/** New names: of sessions, and of single saves. */
import { base64url } from 'jose';
import type { RandomBytes } from './ports.ts';

/** A session id: 128 random bits as 32 upper-case hex digits. */
export function newSessionId(random: RandomBytes): string {
  return Array.from(random(16), (byte) => byte.toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
}

/** The name of one save, by which its writer knows it again: 36 random bits as six base64url characters. */
export function newNonce(random: RandomBytes): string {
  return base64url.encode(random(5)).slice(0, 6);
}
