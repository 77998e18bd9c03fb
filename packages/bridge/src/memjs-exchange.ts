/** A request on its way to a node, as its connection sees it. */
import type { Answer } from './memjs-socket.ts';
import type { NodeErrorKind } from './node.ts';

/** One request that waits for its answer. The connection reads and keeps the times in it. */
export interface Exchange {
  readonly opcode: number;
  readonly frame: Buffer;
  /** Whether the node's memory may be changed by it. */
  readonly isMutation: boolean;
  /** How long the caller waits, milliseconds; at most the node's own time-out. */
  readonly waitMs: number;
  /** {@link Clock.now} at which the caller stops waiting. */
  expiresAt: number;
  /** Whether it has been given more time because our own process was late. */
  hasGrace: boolean;
  /** Whether the caller still waits. */
  readonly isWaiting: boolean;
  /** Takes one answer. `more`: others follow. `broken`: the connection cannot be trusted any more. */
  accept(answer: Answer): 'done' | 'more' | 'broken';
  fail(kind: NodeErrorKind, cause?: unknown): void;
}

/** Gives a request more time, once, when our own process was too late to see its answer; tells whether it did. */
export function prolong(exchange: Exchange, now: number, graceMs: number): boolean {
  if (graceMs === 0 || exchange.hasGrace) return false;
  exchange.hasGrace = true;
  exchange.expiresAt = now + graceMs;
  return true;
}
