/** One request at an app instance: does a task with the session of whoever asks, and tells what it saw. */
import {
  type Session,
  SessionError,
  type SessionManager,
  SessionUnavailableError,
} from '../../packages/client/src/index.ts';
import type { Operation, Outcome, TaskKind, View } from './history.ts';

/** The data of the sessions: each save leaves a field of its own, so that a lost one can be missed. */
export interface MarkedData {
  owner?: string;
  count?: number;
  [field: string]: unknown;
}

export interface Task {
  readonly kind: TaskKind;
  readonly isFresh: boolean;
  readonly owner: string;
  readonly nonce: string;
}

/** What a visit saw, and the cookies for the browser. */
export type VisitReport = Pick<Operation, 'outcome' | 'error' | 'before' | 'after'> & {
  /** `Set-Cookie` lines. */
  readonly cookies: readonly string[];
  /** The session that the cookies are about; known also when the work failed. */
  readonly owned: string | null;
  /** An error that no caller may ever get. */
  readonly defect: string | null;
};

const MARK = 'n_';

export async function visit(
  manager: SessionManager<MarkedData>,
  request: Request,
  task: Task,
): Promise<VisitReport> {
  const headers = new Headers();
  let before: View | null = null;
  let session: Session<MarkedData> | null = null;
  const report = (fields: Pick<VisitReport, 'outcome' | 'error' | 'after' | 'defect'>): VisitReport => ({
    before,
    cookies: headers.getSetCookie(),
    owned: session === null ? null : viewOf(session).session,
    ...fields,
  });
  try {
    session = await manager.getSession(request, { headers, fresh: task.isFresh });
    before = viewOf(session);
    await work(session, task);
    return report({ outcome: 'ok', error: null, after: viewOf(session), defect: null });
  } catch (error) {
    if (error instanceof SessionError) {
      const outcome = outcomeOf(error, before !== null);
      return report({ outcome, error: error.code, after: null, defect: null });
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return report({ outcome: 'info', error: 'defect', after: null, defect: text });
  }
}

async function work(session: Session<MarkedData>, { kind, owner, nonce }: Task): Promise<void> {
  const mark = (data: Partial<MarkedData>): void => {
    data.owner ??= owner;
    data[MARK + nonce] = 1;
  };
  switch (kind) {
    case 'read':
      return;
    case 'save':
      mark(session);
      return session.save();
    case 'update':
      return session.update((data) => {
        mark(data);
        data.count = (data.count ?? 0) + 1;
      });
    case 'destroy':
      return session.destroy();
    case 'regenerate':
      mark(session);
      return session.regenerate();
  }
}

/** Once there is a session to work on, an outage leaves open what has been done. */
function outcomeOf(error: SessionError, isLoaded: boolean): Outcome {
  return isLoaded && (error instanceof SessionUnavailableError || error.code === 'session_destroyed')
    ? 'info'
    : 'fail';
}

function viewOf(session: Session<MarkedData>): View {
  const { ref, version, home, source, stale, copies } = session.meta;
  return {
    session: version === 0 ? null : (ref?.split('.')[0] ?? null),
    version,
    home,
    source,
    isStale: stale,
    copies,
    nonces: Object.keys(session)
      .filter((key) => key.startsWith(MARK))
      .map((key) => key.slice(MARK.length)),
    count: session.count ?? 0,
    owner: session.owner ?? null,
  };
}
