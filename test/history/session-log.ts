/** A history by session: who was acknowledged what, what was lost, and what a reader must therefore see. */
import type { History, Operation, View } from './history.ts';

/** A save that was acknowledged by nodes, not only put into a cookie. */
export interface Acknowledged {
  readonly operation: Operation;
  readonly end: number;
  readonly nonce: string;
  readonly after: View;
}

/** A time in which the memory of nodes counted as lost that came back with it. */
export interface Lapse {
  readonly at: number;
  readonly until: number;
}

/** All that happened to one session. */
export class SessionLog {
  readonly id: string;
  /** In the order of their ends. */
  readonly saves: Acknowledged[] = [];
  /** Requests whose cookies named it. */
  readonly uses: Operation[] = [];
  /** Attempts to end it, also those whose outcome is not known. */
  readonly endings: Operation[] = [];
  /** When the nodes lost everything they had of it. */
  readonly losses: number[] = [];
  /** When what nodes had of it counted as lost, although they came back with it. */
  readonly lapses: readonly Lapse[];
  /** Whether a node answered with something else in its place. */
  isLiedAbout = false;

  constructor(id: string, lapses: readonly Lapse[]) {
    this.id = id;
    this.lapses = lapses;
  }

  /** Whether the nodes lost, after it had begun, what this operation stored. */
  isLost({ start }: Operation): boolean {
    return this.losses.some((at) => at > start);
  }

  /** What whoever looks at this time must see. */
  savesBefore(time: number): Acknowledged[] {
    return this.saves.filter(
      ({ operation, end }) => end <= time && !this.isLost(operation) && !this.isGivenUp(operation),
    );
  }

  /** A save because of which the session is there for whoever looks in this time; null where it need not be. */
  proofFor(from: number, to: number): Acknowledged | null {
    if (this.lapses.some(({ at, until }) => at <= to && from <= until)) return null;
    // After a lapse some state of the session stands, though perhaps not this one.
    return this.saves.find(({ operation, end }) => end <= from && !this.isLost(operation)) ?? null;
  }

  /**
   * Until when it is certainly kept: each use gives it at least half of its idle time, and after the first longer
   * pause some nodes may have forgotten it, or only the newest of it.
   */
  keptUntil(idleMs: number): number {
    const isUse = ({ before }: Operation): boolean => before?.session === this.id && isConfirmed(before);
    const uses = [...this.uses.filter(isUse), ...this.saves.map(({ operation }) => operation)];
    let until = -Infinity;
    for (const { start } of uses.toSorted((a, b) => a.start - b.start)) {
      if (until !== -Infinity && start > until) break;
      until = Math.max(until, start + idleMs / 2);
    }
    return until;
  }

  /** Whether others may have gone on without what this operation stored, as if it had been lost. */
  isGivenUp({ start }: Operation): boolean {
    return this.lapses.some(({ until }) => until > start);
  }

  /** The first ending that was acknowledged and not lost. */
  get ended(): Operation | null {
    return (
      this.endings.find((each) => each.outcome === 'ok' && each.end !== null && !this.isLost(each)) ?? null
    );
  }

  /** Whether somebody had begun to end it by then. */
  mayHaveEnded(time: number): boolean {
    return this.endings.some(({ start }) => start <= time);
  }
}

/** The logs of all sessions. */
export function readSessions(history: History): Map<string, SessionLog> {
  const logs = new Map<string, SessionLog>();
  const lapses = lapsesOf(history);
  const logOf = (id: string): SessionLog => {
    const log = logs.get(id) ?? new SessionLog(id, lapses);
    logs.set(id, log);
    return log;
  };
  for (const operation of history.operations) {
    const { session, kind, before } = operation;
    if (session !== null) logOf(session).uses.push(operation);
    const save = acknowledgedSave(operation);
    if (save?.after.session != null) logOf(save.after.session).saves.push(save);
    const target = before === null ? session : before.session;
    if ((kind === 'destroy' || kind === 'regenerate') && target !== null)
      logOf(target).endings.push(operation);
  }
  for (const { kind, at, session } of history.facts) {
    if (kind === 'lie' && session !== undefined) logOf(session).isLiedAbout = true;
    if (kind !== 'loss') continue;
    const hit = session === '*' ? [...logs.values()] : logs.has(session ?? '') ? [logOf(session ?? '')] : [];
    for (const log of hit) log.losses.push(at);
  }
  for (const log of logs.values()) log.saves.sort((a, b) => a.end - b.end);
  return logs;
}

function acknowledgedSave(operation: Operation): Acknowledged | null {
  const { outcome, after, end, nonce, kind } = operation;
  if (kind === 'read' || kind === 'destroy' || nonce === null) return null;
  if (outcome !== 'ok' || after === null || end === null || after.source === 'cookie') return null;
  return { operation, end, nonce, after };
}

/** Whether nodes had it, as far as the instance knew, and no outage kept it from being asked for. */
export function isConfirmed({ isStale, source }: View): boolean {
  return !isStale && source !== 'cookie';
}

/** Whether what was seen had been confirmed, or may be up to `maxStaleMs` old. */
export function seenSince({ isFresh, start }: Operation, maxStaleMs: number): number {
  return isFresh ? start : start - maxStaleMs;
}

export function lapsesOf({ facts }: History): Lapse[] {
  return facts.flatMap(({ kind, at, until = Infinity }) => (kind === 'lapse' ? [{ at, until }] : []));
}
