/** Where a session is and how new, in a table. */
import type { ReactNode } from 'react';
import type { SessionSight } from '@/lib/sight';
import type { Scene } from '@/lib/story';

const SOURCES: Readonly<Record<SessionSight['source'], string>> = {
  new: 'nothing is stored yet',
  cache: 'this instance’s memory',
  bridge: 'a node, through the bridge',
  cookie: 'your browser’s cookie',
};

interface Props {
  /** Null before the first look. */
  readonly scene: Scene | null;
  /** Whether the instance has not answered since. */
  readonly isGone: boolean;
}

export function SessionFacts({ scene, isGone }: Props): ReactNode {
  const session = scene?.session ?? null;
  const facts: readonly (readonly [string, ReactNode])[] = [
    ['Instance', scene === null ? '–' : `${scene.instance ?? ''}${isGone ? ', gone' : ''}`],
    ['Ref', session?.ref == null ? '–' : <code>{session.ref}</code>],
    ['Home', session?.home == null ? '–' : `node ${session.home}`],
    ['Version', session === null ? '–' : session.version],
    ['Copies', session === null ? '–' : describeCopies(session)],
    [
      'Read from',
      session === null ? '–' : `${SOURCES[session.source]}${session.stale ? ', unconfirmed' : ''}`,
    ],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function describeCopies({ version, source, copies }: SessionSight): ReactNode {
  if (version === 0) return '–';
  if (source === 'cookie') return 'only the cookie';
  return copies ?? 'another instance saved it';
}
