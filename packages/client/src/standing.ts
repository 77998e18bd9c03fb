/** Where the session of one request stands: who, what is stored of it, what is only in the cookie. */
import type { Browser } from './browser.ts';
import type { Held } from './cache.ts';
import type { Carried } from './carried.ts';
import type { Hint } from './cookies.ts';
import type { Engine } from './engine.ts';
import { isRollDue, renewIdentity } from './identity.ts';
import type { SessionRecord } from './ports.ts';
import { formatRef } from './protocol.ts';
import type { Identity } from './seal.ts';
import type { SessionMeta } from './session.ts';

/** Carried data with the seal under which it is in the cookie. */
export interface SealedCarried {
  readonly carried: Carried;
  readonly sealed: string;
  /** Where the session was when the outage began. */
  readonly index: number | null;
}

export class Standing {
  identity: Identity | null = null;
  /** Whether the browser does not have the identity's seal yet. */
  isSealNew = false;
  held: Held | null = null;
  carrying: SealedCarried | null = null;
  source: SessionMeta['source'] = 'new';
  isStale = false;

  /** What the data is, stored or carried; null in a new session. */
  get record(): SessionRecord | null {
    return this.carrying?.carried.record ?? this.held?.record ?? null;
  }

  get index(): number | null {
    return this.carrying === null ? (this.held?.index ?? null) : this.carrying.index;
  }

  get meta(): SessionMeta {
    const { identity, record, index, source, isStale } = this;
    return {
      ref: identity === null ? null : formatRef({ id: identity.id, index }),
      version: record?.version ?? 0,
      home: index,
      isNew: record === null,
      source,
      stale: isStale,
      copies: this.carrying === null ? (this.held?.copies ?? null) : null,
    };
  }

  /** Stored, as this instance now holds it. */
  setHeld(held: Held, source: SessionMeta['source'] = this.source): void {
    this.held = held;
    this.carrying = null;
    this.source = source === 'cookie' ? 'bridge' : source;
    this.isStale = false;
  }

  /** Only in the cookie. */
  setCarrying(carrying: SealedCarried): void {
    this.carrying = carrying;
    this.source = 'cookie';
    this.isStale = true;
  }

  /** Nobody's, as at a first visit. */
  reset(): void {
    this.identity = null;
    this.isSealNew = false;
    this.held = null;
    this.carrying = null;
    this.source = 'new';
    this.isStale = false;
  }

  /** What the second cookie is to say; null while there is nothing to say. */
  get hint(): Hint | null {
    const { record, index } = this;
    if (record === null) return null;
    return { index, floor: record.version, sealedData: this.carrying?.sealed ?? null };
  }

  /** Whether the browser's cookies are not what they should be. */
  hasDueCookies<T extends object>(engine: Engine<T>, browser: Browser): boolean {
    const { identity, hint } = this;
    if (identity === null || hint === null) return false;
    return this.isSealNew || !browser.hasHint(hint, identity.seal) || isRollDue(engine, identity);
  }

  /** Makes the browser's cookies what they should be. */
  async writeDueCookies<T extends object>(engine: Engine<T>, browser: Browser): Promise<void> {
    const { record, hint } = this;
    if (this.identity === null || record === null || hint === null) return;
    if (!this.isSealNew && isRollDue(engine, this.identity)) {
      this.identity = await renewIdentity(engine, this.identity, record.startedAt);
      this.isSealNew = true;
    }
    browser.write(this.identity.seal, hint, { isNewSeal: this.isSealNew });
    this.isSealNew = false;
  }
}
