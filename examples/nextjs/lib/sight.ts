/** What a visitor may see of his own session. */
import type { Session } from '@memsession/client';
import type { SessionData } from './session';

export interface SessionSight {
  readonly name: string | null;
  readonly cart: readonly string[];
  readonly count: number;
  /** The first and last digits of the id, and the index: `602F…E178.0`. */
  readonly ref: string | null;
  readonly home: number | null;
  readonly version: number;
  readonly source: 'new' | 'cache' | 'bridge' | 'cookie';
  readonly copies: number | null;
  readonly stale: boolean;
}

export function describeSession(session: Session<SessionData>): SessionSight {
  const { ref, home, version, source, copies, stale } = session.meta;
  return {
    name: session.name ?? null,
    cart: session.cart ?? [],
    count: session.count ?? 0,
    ref: ref === null ? null : shorten(ref),
    home,
    version,
    source,
    copies,
    stale,
  };
}

/** A whole id has no business in a page. */
function shorten(ref: string): string {
  const [id = '', index = '–'] = ref.split('.');
  return `${id.slice(0, 4)}…${id.slice(-4)}.${index}`;
}
