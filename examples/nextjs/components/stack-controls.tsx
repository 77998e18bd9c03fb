'use client';
/** Stops and starts nodes, instances and the bridge that `npm start` runs. */
import { useState, type ReactNode } from 'react';
import { usePathname } from 'next/navigation';
import { goOnAt } from '@/lib/arrival';
import { isUp, type PartKind, type PartState, type StackAction, type StackState } from '@/lib/stack-state';
import type { Scene } from '@/lib/story';

interface Part {
  readonly kind: PartKind;
  readonly which: string;
  readonly name: string;
  /** What it is to the visitor. */
  readonly role: string | null;
  readonly state: PartState;
  readonly link: string | null;
}

interface Props {
  readonly scene: Scene;
  readonly stack: StackState;
  readonly onDone: () => void;
}

export function StackControls({ scene, stack, onDone }: Props): ReactNode {
  const path = usePathname() ?? '/';
  const [busy, setBusy] = useState<string | null>(null);
  const act = async (part: Part, action: StackAction): Promise<void> => {
    setBusy(part.name);
    const body = JSON.stringify({ kind: part.kind, which: part.which, action });
    // An instance that is told to stop itself may not live to answer.
    await fetch('/api/stack', { method: 'POST', body }).catch(() => undefined);
    setBusy(null);
    onDone();
  };
  return (
    <section>
      <h3>Stop something</h3>
      <ul className="parts">
        {listParts(scene, stack, path).map((part) => (
          <PartRow
            key={part.name}
            part={part}
            isBusy={busy !== null}
            onAct={(action) => void act(part, action)}
          />
        ))}
      </ul>
    </section>
  );
}

function listParts(scene: Scene, { nodes, instances, bridge }: StackState, path: string): readonly Part[] {
  return [
    ...nodes.map((state) => ({
      kind: 'node' as const,
      which: String(state.index),
      name: `Node ${state.index}`,
      role: state.index === scene.session?.home ? 'home of your session' : null,
      state,
      link: null,
    })),
    ...instances.map((state) => ({
      kind: 'instance' as const,
      which: state.letter,
      name: `Instance ${state.letter}`,
      role: state.letter === scene.instance ? 'this one' : null,
      state,
      link: state.letter !== scene.instance && isUp(state) ? goOnAt(state.url, path, scene) : null,
    })),
    { kind: 'bridge', which: '0', name: 'Bridge', role: null, state: bridge, link: null },
  ];
}

interface RowProps {
  readonly part: Part;
  readonly isBusy: boolean;
  readonly onAct: (action: StackAction) => void;
}

function PartRow({ part: { name, role, state, link }, isBusy, onAct }: RowProps): ReactNode {
  const action = state.running ? 'stop' : 'start';
  const word = state.running ? 'Stop' : 'Start';
  return (
    <li data-up={isUp(state)}>
      <span className="part-name">
        <span className="dot" aria-hidden="true" />
        {name}
        <span className="muted">{role ?? (isUp(state) ? '' : state.running ? 'hangs' : 'stopped')}</span>
      </span>
      {link !== null && (
        <a className="button small quiet" href={link}>
          Go there
        </a>
      )}
      <button
        type="button"
        className="button small quiet"
        aria-label={`${word} ${name.replace(/^./, (first) => first.toLowerCase())}`}
        aria-disabled={isBusy}
        onClick={() => !isBusy && onAct(action)}
      >
        {word}
      </button>
    </li>
  );
}
