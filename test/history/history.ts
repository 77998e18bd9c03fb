/** What clients saw, and what was done to the system meanwhile: all that the checker knows. */

export type TaskKind = 'read' | 'save' | 'update' | 'destroy' | 'regenerate';

/** A session as one request saw it at one moment. */
export interface View {
  /** The session's id; null when there was no session. */
  readonly session: string | null;
  readonly version: number;
  readonly home: number | null;
  readonly source: 'new' | 'cache' | 'bridge' | 'cookie';
  /** Served unconfirmed, in an outage. */
  readonly isStale: boolean;
  /** Nodes that acknowledged this version, where the instance knows. */
  readonly copies: number | null;
  /** Names of all saves whose marks the data has. */
  readonly nonces: readonly string[];
  /** How many updates it counts. */
  readonly count: number;
  /** The browser that the data says it belongs to. */
  readonly owner: string | null;
}

/**
 * `ok`: done. `fail`: certainly not done. `info`: nobody knows, or it was never answered; it may take effect
 * at any later time.
 */
export type Outcome = 'ok' | 'fail' | 'info';

/** One request of a browser. */
export interface Operation {
  readonly browser: string;
  readonly instance: string;
  readonly kind: TaskKind;
  /** Whether the session was to be confirmed by a bridge. */
  readonly isFresh: boolean;
  /** The id that the cookies named; null without one. */
  readonly session: string | null;
  /** The version that the cookies named; 0 without one. */
  readonly floor: number;
  /** Whether the cookies carried data that no node had acknowledged. */
  readonly isCarrying: boolean;
  /** Names what this request writes. */
  readonly nonce: string | null;
  /** Milliseconds on one clock for all. */
  readonly start: number;
  /** Null while nothing came back. */
  readonly end: number | null;
  readonly outcome: Outcome;
  /** The error's code. */
  readonly error: string | null;
  /** As it was loaded; null when that failed. */
  readonly before: View | null;
  /** As it was after the work; null when it failed. */
  readonly after: View | null;
  /** Names of the cookies that the answer set, each as often as it was set. */
  readonly cookies: readonly string[];
}

/**
 * - `fault`: what was done to the system, for readers and for the times of detection.
 * - `loss`: from what was acknowledged for this session (`*`: for all) before `at`, the nodes have lost all copies.
 * - `lapse`: from `at` until `until` the memory of so many nodes counted as lost, although they had it and came back
 *   with it, that nothing was known of some sessions. What was acknowledged before its end may have been given up.
 * - `lie`: a node answered for this session with what belongs to another one; only isolation is promised then.
 * - `defect`: a process ended or reported what must never happen.
 */
export interface Fact {
  readonly kind: 'fault' | 'loss' | 'lapse' | 'lie' | 'defect';
  readonly at: number;
  /** The end of a lapse: every bridge uses the nodes again. */
  readonly until?: number;
  readonly session?: string;
  readonly text: string;
}

export interface History {
  /** For how long an instance may serve a session without confirming it, milliseconds. */
  readonly maxStaleMs: number;
  /** For how long a session is kept that nobody uses, milliseconds. */
  readonly idleMs: number;
  /** The longest time that one request may take, milliseconds. */
  readonly deadlineMs: number;
  /** How many nodes the list has, also those that were removed. */
  readonly nodes: number;
  readonly operations: readonly Operation[];
  readonly facts: readonly Fact[];
}
