'use client';
/** The side panel: where the visitor's session is, what has happened to it, and the parts it depends on. */
import { useState, type ReactNode } from 'react';
import { usePathname } from 'next/navigation';
import { goOnAt } from '@/lib/arrival';
import { isUp } from '@/lib/stack-state';
import type { Scene } from '@/lib/story';
import { SessionFacts } from './session-facts';
import { StackControls } from './stack-controls';
import { useScene, type Told } from './use-scene';

export function SessionPanel(): ReactNode {
  const { scene, lastSeen, story, events, look } = useScene();
  const isGone = scene !== null && scene.instance === null;
  const [isOpen, setOpen] = useState(false);
  return (
    <aside className="panel" aria-label="Your session, live" data-open={isOpen || isGone}>
      <button
        type="button"
        className="panel-toggle"
        aria-expanded={isOpen || isGone}
        aria-controls="panel-body"
        onClick={() => setOpen(!isOpen)}
      >
        <Summary scene={scene} />
        <svg viewBox="0 0 16 16" aria-hidden="true" focusable="false">
          <path d="M3 10l5-5 5 5" />
        </svg>
      </button>
      <div id="panel-body" className="panel-body">
        <h2>Your session, live</h2>
        <noscript>
          <p>The panel needs JavaScript; the shop does not.</p>
        </noscript>
        {isGone && lastSeen !== null && <WayOn lastSeen={lastSeen} />}
        <SessionFacts scene={lastSeen} isGone={isGone} />
        <div aria-live="polite">
          <TellingList title="What happened" entries={story} isOpen />
        </div>
        {scene?.stack != null && !isGone && <StackControls scene={scene} stack={scene.stack} onDone={look} />}
        <TellingList title="Reports of instance and bridge" entries={events} />
      </div>
    </aside>
  );
}

function Summary({ scene }: { scene: Scene | null }): ReactNode {
  if (scene === null) return <span>Looking for your session …</span>;
  if (scene.instance === null) return <span>This instance does not answer</span>;
  const { session } = scene;
  if (session === null) return <span>Instance {scene.instance} · nobody can know your session</span>;
  if (session.version === 0) return <span>Instance {scene.instance} · no session yet</span>;
  const isCarried = session.source === 'cookie' || session.home === null;
  return (
    <span>
      Instance {scene.instance} · {isCarried ? 'in your cookie' : `node ${session.home}`} · version{' '}
      {session.version}
    </span>
  );
}

/** When this instance is gone, its page is all that is left of it: it shows where to go on. */
function WayOn({ lastSeen }: { lastSeen: Scene }): ReactNode {
  const path = usePathname() ?? '/';
  const others = lastSeen.stack?.instances.filter(({ letter }) => letter !== lastSeen.instance) ?? [];
  const open = others.filter(isUp);
  return (
    <div className="way-on" role="alert">
      <p>
        <strong>Instance {lastSeen.instance} does not answer any more.</strong> Your session does not need it.
      </p>
      {open.map(({ letter, url }) => (
        <a key={letter} className="button" href={goOnAt(url, path, lastSeen)}>
          Go on at instance {letter}
        </a>
      ))}
      {open.length === 0 && <p>This page tries again every two seconds.</p>}
    </div>
  );
}

interface TellingListProps {
  readonly title: string;
  readonly entries: readonly Told[];
  readonly isOpen?: boolean;
}

function TellingList({ title, entries, isOpen = false }: TellingListProps): ReactNode {
  const list = (
    <ol className="told">
      {entries.map(({ at, text }, index) => (
        <li key={`${at}-${index}`}>
          <time dateTime={new Date(at).toISOString()}>{new Date(at).toLocaleTimeString('en-GB')}</time> {text}
        </li>
      ))}
    </ol>
  );
  if (isOpen) {
    return (
      <section>
        <h3>{title}</h3>
        {entries.length === 0 ? <p className="muted">Nothing yet. Put something into the cart.</p> : list}
      </section>
    );
  }
  if (entries.length === 0) return null;
  return (
    <details>
      <summary>{title}</summary>
      {list}
    </details>
  );
}
