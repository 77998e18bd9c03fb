/** What single rows demand beside the promises, read from what was seen. */
import { groupBy } from '../history/group-by.ts';
import type { Operation } from '../history/history.ts';
import type { Seen } from './arena.ts';
import type { Finding, StateChange } from './run-log.ts';
import { isDisturbed } from './disturbed.ts';

/** Up to this a machine is quiet, and nothing is excused, milliseconds. */
const QUIET_MS = 40;
/** So many requests in a thousand are excused on a machine that stood still for so long, milliseconds. */
const EXCUSED: readonly (readonly [stoodStillMs: number, perThousand: number])[] = [
  [1_000, 50],
  [250, 10],
  [100, 3],
  [QUIET_MS, 1],
];

/** A node's answer that is later than this is a time-out, milliseconds; and somewhat more. */
const LATE_MS = 300;

/**
 * Nobody is told of an outage between two times. Not counted are requests that met a standstill of the run itself,
 * through which all their traffic goes. And on a busy machine deadlines of others pass without anybody's fault,
 * and a client that met five of them leaves a bridge alone for a moment.
 */
export function noOutage(
  { operations, lagMs, stalls }: Pick<Seen, 'operations' | 'lagMs' | 'stalls'>,
  from: number = 0,
  to: number = Number.POSITIVE_INFINITY,
): Finding {
  const told = operations.filter(
    (each) =>
      each.start >= from &&
      each.start < to &&
      isDisturbed(each) &&
      !isHeldUp(stalls, each.start, each.end ?? each.start),
  );
  const [, perThousand] = EXCUSED.find(([stoodStillMs]) => lagMs > stoodStillMs) ?? [0, 0];
  const most = Math.ceil((operations.length * perThousand) / 1_000);
  const codes = [...new Set(told.map(({ error }) => error))].join(' ');
  return {
    what: 'nobody is told of an outage',
    isHeld: told.length <= most,
    detail: `${told.length}, ${most} for a machine that stood still ${Math.round(lagMs)} ms: ${codes}`,
  };
}

/** Whether something that took this time met a standstill of the run, or what it makes late. */
function isHeldUp(stalls: Seen['stalls'], from: number, to: number = from): boolean {
  return stalls.some((stall) => to >= stall.from && from < stall.to + LATE_MS);
}

/** Nobody who has a session gets the cookie of another one. */
export function noNewCookie({ operations }: Pick<Seen, 'operations'>, from: number, to: number): Finding {
  const endings = operations.filter(({ kind }) => kind === 'destroy' || kind === 'regenerate');
  const mayHaveEnded = ({ session, start, end }: Operation): boolean =>
    endings.some((each) => each.session === session && each.start < (end ?? start));
  const got = operations.filter(
    (each) =>
      each.start >= from &&
      (each.end ?? each.start) < to &&
      each.session !== null &&
      each.cookies.includes('__Host-session') &&
      !mayHaveEnded(each),
  );
  return {
    what: 'nobody who has a session gets a new one',
    isHeld: got.length === 0,
    detail: got.map(({ browser, kind }) => `${browser} ${kind}`).join(', '),
  };
}

/** When bridges put nodes down, but for what the run itself held up on its way between them. */
export function fallsOf({
  states,
  stalls,
  phases,
}: Pick<Seen, 'states' | 'stalls' | 'phases'>): StateChange[] {
  return states.filter(({ to, at }) => to === 'down' && at >= phases.fault && !isHeldUp(stalls, at));
}

/** How often a bridge may put a node down in this time. */
export function fewFalls(seen: Pick<Seen, 'states' | 'stalls' | 'phases'>, most: number): Finding {
  const falls = fallsOf(seen);
  const byEdge = groupBy(falls, ({ bridge, node }) => `bridge ${bridge} node ${node}`);
  const worst = Math.max(0, ...[...byEdge.values()].map((each) => each.length));
  return {
    what: `no bridge puts a node down more than ${most} times`,
    isHeld: worst <= most,
    detail: falls
      .map(({ at, bridge, node, reason }) => `${Math.round(at)} ms ${bridge}→${node} ${reason}`)
      .join(', '),
  };
}

/** Only destroying a session takes its cookie away. */
export function keepsCookies({ operations }: Pick<Seen, 'operations'>): Finding {
  const lost: string[] = [];
  for (const [browser, own] of groupBy(operations, ({ browser }) => browser)) {
    const inOrder = own.toSorted((a, b) => a.start - b.start);
    for (const [at, { start, session, kind }] of inOrder.entries()) {
      if (session !== null) continue;
      const before = inOrder.slice(0, at);
      const had = before.findLast((each) => isSaved(each) && (each.end ?? start) < start);
      if (had === undefined) continue;
      const mayHaveEnded = before.some(
        (each) => (each.kind === 'destroy' || each.kind === 'regenerate') && (each.end ?? start) >= had.start,
      );
      if (!mayHaveEnded) lost.push(`${kind} of ${browser} at ${Math.round(start)} ms`);
    }
  }
  return {
    what: 'no browser loses its cookies',
    isHeld: lost.length === 0,
    detail: lost.slice(0, 5).join(', '),
  };
}

function isSaved({ outcome, kind, after }: Operation): boolean {
  return outcome === 'ok' && kind !== 'destroy' && after?.session != null;
}
