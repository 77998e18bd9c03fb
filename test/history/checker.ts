/** Checks a history against the promises. It knows nothing but the history. */
import { groupBy } from './group-by.ts';
import type { History, Operation, View } from './history.ts';
import { isConfirmed, lapsesOf, readSessions, seenSince, type SessionLog } from './session-log.ts';

export type CheckName =
  | 'durable'
  | 'monotonic'
  | 'no fork'
  | 'no lost update'
  | 'ended'
  | 'isolated'
  | 'settled'
  | 'no defect'
  | 'cookies'
  | 'once';

/** What each check demands. */
export const CHECKS: Readonly<Record<CheckName, string>> = {
  durable: 'An acknowledged version is there for every later reader, or the reader is told of an outage.',
  monotonic: 'A browser is never shown less than its cookies say.',
  'no fork': 'A version of a session is the same for everybody.',
  'no lost update': 'What an acknowledged save added is in everything that is read later.',
  ended: 'A session that was ended is not served and not saved again.',
  isolated: 'Nobody sees the data of somebody else.',
  settled: 'Every request is answered in time.',
  'no defect': 'No process ends by itself or throws what it should not.',
  cookies: 'An answer sets a cookie once at most, and names a node that exists.',
  once: 'A save is never applied twice.',
};

export interface Violation {
  readonly check: CheckName;
  readonly text: string;
  /** The session it is about; null when it is about no single one. */
  readonly session: string | null;
  readonly at: number;
}

/** Everything that breaks a promise, in the order of time. */
export function checkHistory(history: History): Violation[] {
  const found: Violation[] = [];
  const report = (violation: Violation): void => void found.push(violation);
  const owners = ownersOf(history);
  const losses = new Set(
    history.facts.flatMap(({ kind, session }) => (kind === 'loss' ? [session ?? ''] : [])),
  );
  if (lapsesOf(history).length > 0) losses.add('*');
  for (const operation of history.operations) checkOperation(operation, { history, owners, losses, report });
  for (const log of readSessions(history).values()) checkSession(log, history, report);
  for (const visits of groupBy(history.operations, ({ browser }) => browser).values())
    checkCarried(visits, { history, losses, report });
  for (const { kind, at, text } of history.facts) {
    if (kind === 'defect') report({ check: 'no defect', text, session: null, at });
  }
  return found.toSorted((a, b) => a.at - b.at);
}

type Report = (violation: Violation) => void;

/** Nonce → who wrote it. */
function ownersOf({ operations }: History): Map<string, Operation> {
  return new Map(operations.flatMap((each) => (each.nonce === null ? [] : [[each.nonce, each] as const])));
}

interface Context {
  readonly history: History;
  readonly owners: ReadonlyMap<string, Operation>;
  /** Sessions of which the nodes have lost something, or were taken to have; `*` for all. */
  readonly losses: ReadonlySet<string>;
  readonly report: Report;
}

/** What each request must keep by itself. */
function checkOperation(operation: Operation, { history, owners, losses, report }: Context): void {
  const { browser, start, end, cookies, session } = operation;
  const tell = (check: CheckName, text: string): void => report({ check, text, session, at: end ?? start });
  if (end === null) tell('settled', `${name(operation)} was never answered`);
  else if (end - start > history.deadlineMs)
    tell('settled', `${name(operation)} took ${Math.round(end - start)} ms`);
  if (new Set(cookies).size < cookies.length) tell('cookies', `${name(operation)} set a cookie twice`);
  for (const view of viewsOf(operation)) {
    if (view.home !== null && view.home >= history.nodes)
      tell('cookies', `${name(operation)} names node ${view.home}`);
    const strangers = view.nonces.filter((nonce) => owners.get(nonce)?.browser !== browser);
    if (strangers.length > 0 || (view.owner !== null && view.owner !== browser))
      tell('isolated', `${name(operation)} shows the data of ${view.owner ?? '?'}: ${strangers.join(' ')}`);
    const updates = view.nonces.filter((nonce) => owners.get(nonce)?.kind === 'update').length;
    // What was restored after a loss may have been changed on the ground of what was lost.
    if (view.count > updates && !losses.has('*') && !losses.has(view.session ?? ''))
      tell('once', `${name(operation)} counts ${view.count}, but ${updates} have counted`);
  }
}

function checkSession(log: SessionLog, history: History, report: Report): void {
  if (log.isLiedAbout) return;
  const states = new Map<number, { text: string; operation: Operation }>();
  const keptUntil = log.keptUntil(history.idleMs);
  const context = { maxStaleMs: history.maxStaleMs, keptUntil, report };
  for (const operation of log.uses.toSorted((a, b) => a.start - b.start)) {
    checkRead(log, operation, context);
    checkEnd(log, operation, context);
  }
  if (log.losses.length > 0 || log.lapses.length > 0) return;
  checkMove(log, { keptUntil, report });
  const all = [...log.uses, ...log.saves.map(({ operation }) => operation)];
  const seen = new Set(all.filter(({ start, end }) => (end ?? start) <= keptUntil));
  for (const operation of seen) checkFork(log, operation, { states, report });
}

interface SessionContext {
  readonly maxStaleMs: number;
  readonly keptUntil: number;
  readonly report: Report;
}

/** What a request that carries a session's cookie must see of it. */
function checkRead(
  log: SessionLog,
  operation: Operation,
  { maxStaleMs, keptUntil, report }: SessionContext,
): void {
  const { before, floor, start, end, isCarrying } = operation;
  if (before === null) return;
  const at = end ?? start;
  const tell = (check: CheckName, text: string): void => report({ check, text, session: log.id, at });
  const isKept = at <= keptUntil;
  if (before.session === null) {
    const save = log.proofFor(start, at);
    if (save !== null && !log.mayHaveEnded(at) && isKept)
      tell('durable', `${name(operation)} finds no session, but v${save.after.version} was acknowledged`);
    return;
  }
  if (before.session !== log.id) return tell('isolated', `${name(operation)} gets session ${before.session}`);
  if (before.version < floor && !isCarrying && log.losses.length === 0)
    tell('monotonic', `${name(operation)} sees v${before.version}, its cookie says v${floor}`);
  if (!isConfirmed(before) || !isKept) return;
  const due = log.savesBefore(seenSince(operation, maxStaleMs));
  const newest = due.reduce((most, { after }) => Math.max(most, after.version), 0);
  if (before.version < newest)
    return tell('durable', `${name(operation)} sees v${before.version}, but v${newest} was acknowledged`);
  const missing = due.filter(({ nonce }) => !before.nonces.includes(nonce)).map(({ nonce }) => nonce);
  if (missing.length > 0)
    tell('no lost update', `${name(operation)} sees v${before.version} without ${missing.join(' ')}`);
}

/** What must not be once a session was ended. */
function checkEnd(log: SessionLog, operation: Operation, { maxStaleMs, report }: SessionContext): void {
  const { ended } = log;
  if (ended === null || ended.end === null || operation === ended) return;
  const { before, after, start, end, outcome } = operation;
  const tell = (text: string): void => report({ check: 'ended', text, session: log.id, at: end ?? start });
  const isSaved = outcome === 'ok' && after?.session === log.id && after.source !== 'cookie';
  if (isSaved && operation.kind !== 'read' && start > ended.end)
    tell(`${name(operation)} saves a session that was ended`);
  if (before?.session !== log.id || !isConfirmed(before)) return;
  if (seenSince(operation, maxStaleMs) > ended.end)
    tell(`${name(operation)} is served a session that was ended`);
}

/** What a browser's cookie carries is seen by whoever it is sent to, stored or not. */
function checkCarried(
  visits: readonly Operation[],
  { history, losses, report }: Omit<Context, 'owners'>,
): void {
  const carried = visits.filter(({ after }) => after?.source === 'cookie');
  for (const visit of visits) {
    const { start, end, before, session, floor, isCarrying } = visit;
    if (!isCarrying || before === null || before.session !== session) continue;
    const [known, another] = carried.filter(
      ({ after }) => after?.session === session && after?.version === floor,
    );
    // Saves made at once have cookies of one version.
    if (known?.after == null || another !== undefined || known === visit) continue;
    if (start - (known.end ?? start) > history.idleMs / 2) continue;
    // What was stored before may be lost, what is in the cookie cannot be.
    const isLost = losses.has('*') || losses.has(session ?? '');
    const due = known.after.nonces.filter((nonce) => !isLost || nonce === known.nonce);
    const missing = due.filter((nonce) => !before.nonces.includes(nonce));
    if (missing.length === 0) continue;
    const text = `${name(visit)} sees v${before.version} without ${missing.join(' ')}, which its cookie carries`;
    report({ check: 'no lost update', text, session, at: end ?? start });
  }
}

/** A session that goes on under another id has what was acknowledged under the old one. */
function checkMove(
  { id, endings, saves }: SessionLog,
  { keptUntil, report }: { keptUntil: number; report: Report },
): void {
  const [move, another] = endings;
  // Of two that end a session at once, one has nothing left to move.
  if (move === undefined || another !== undefined || move.outcome !== 'ok') return;
  const { kind, after, start, end } = move;
  if (kind !== 'regenerate' || after === null || after.session === id || start > keptUntil) return;
  const missing = saves.filter(({ nonce }) => !after.nonces.includes(nonce)).map(({ nonce }) => nonce);
  if (missing.length === 0) return;
  const text = `${name(move)} goes on without ${missing.join(' ')}`;
  report({ check: 'no lost update', text, session: id, at: end ?? start });
}

/** Two requests that see the same version must see the same data. */
function checkFork(
  log: SessionLog,
  operation: Operation,
  { states, report }: { states: Map<number, { text: string; operation: Operation }>; report: Report },
): void {
  for (const view of viewsOf(operation)) {
    if (view.session !== log.id || view.source === 'cookie') continue;
    const text = `${view.nonces.toSorted().join(' ')} ${view.count}`;
    const known = states.get(view.version);
    if (known === undefined) states.set(view.version, { text, operation });
    else if (known.text !== text) {
      const [one, other] = [name(known.operation), name(operation)];
      const at = operation.end ?? operation.start;
      const what = `${one} [${known.text}] and ${other} [${text}] see different data as v${view.version}`;
      report({ check: 'no fork', text: what, session: log.id, at });
    }
  }
}

function viewsOf({ before, after }: Operation): View[] {
  return [before, after].filter((view): view is View => view !== null && view.session !== null);
}

function name({ browser, instance, kind, nonce, start }: Operation): string {
  return `${kind}${nonce === null ? '' : ` ${nonce}`} of ${browser} at ${instance} (${start.toFixed(0)} ms)`;
}
