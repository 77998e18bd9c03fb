/** What the client reports through `onEvent`, for logs and metrics. No event holds an id or data. */
import type { RecordRejection, SealRejection } from './ports.ts';
import type { ErrorCode } from './protocol.ts';

/** A save was acknowledged. */
export interface BackupEvent {
  readonly type: 'backup';
  readonly version: number;
  readonly home: number;
  /** How many nodes hold it; null when the bridge did not say. */
  readonly copies: number | null;
  /** Milliseconds from the call of save() to the acknowledgement. */
  readonly durationMs: number;
}

/** A session has another home, and the browser gets another cookie. */
export interface RelocateEvent {
  readonly type: 'relocate';
  readonly version: number;
  readonly from: number;
  readonly to: number;
}

/** This instance serves a session that it did not hold before. */
export interface TakeoverEvent {
  readonly type: 'takeover';
  readonly version: number;
  readonly home: number;
}

/** Another save came first. */
export interface ConflictEvent {
  readonly type: 'conflict';
  /** The version that came first. */
  readonly version: number;
  /**
   * Which try of the save met it, from 1; 0 when data from the cookie met it, or when it took the place of one that
   * this instance holds and that all nodes had lost.
   */
  readonly round: number;
  /** Fields that both sides changed; with round 0, those of which this side's change is lost. */
  readonly keys: readonly string[];
}

/** Data that the nodes had lost was stored again. */
export interface RestoreEvent {
  readonly type: 'restore';
  readonly version: number;
  /** `absent`: no node had the session. `older`: they had an older version only. `cookie`: it came from there. */
  readonly reason: 'absent' | 'older' | 'cookie';
}

/** A save rides in the browser's cookie, because nobody could store it. */
export interface FallbackEvent {
  readonly type: 'fallback';
  readonly version: number;
  /** Bytes of the cookie, name and value. */
  readonly bytes: number;
}

/** No bridge could do it. */
export interface UnavailableEvent {
  readonly type: 'unavailable';
  readonly operation: 'read' | 'write' | 'destroy' | 'touch';
  readonly code: ErrorCode;
  readonly cause: unknown;
}

/** Something that was sent to us, or stored for us, is not believed. */
export interface RejectedEvent {
  readonly type: 'rejected';
  readonly what: 'cookie' | 'record';
  /** `foreign`: sealed with our key, but for another app or purpose. `below_floor`: older than the browser saw. */
  readonly reason: SealRejection | RecordRejection | 'foreign' | 'below_floor';
}

export type SessionEvent =
  | BackupEvent
  | RelocateEvent
  | TakeoverEvent
  | ConflictEvent
  | RestoreEvent
  | FallbackEvent
  | UnavailableEvent
  | RejectedEvent;

/** Where there is none, the console is told the first trouble of each kind. */
export type OnEvent = (event: SessionEvent) => void;
