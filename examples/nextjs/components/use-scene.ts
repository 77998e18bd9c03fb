'use client';
/** Looks at the session and at the parts around it again and again, and tells what has changed. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { onChange } from '@/lib/change';
import { readArrival } from '@/lib/arrival';
import type { SessionSight } from '@/lib/sight';
import type { StackState } from '@/lib/stack-state';
import { tellStory, type Scene } from '@/lib/story';

/** An entry of the panel's log. */
export interface Told {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly text: string;
}

export interface View {
  /** Null until the first look. */
  readonly scene: Scene | null;
  /** The last scene in which the instance answered. */
  readonly lastSeen: Scene | null;
  /** What happened to this visitor, newest first. */
  readonly story: readonly Told[];
  /** What the instance and the bridge report, newest first. */
  readonly events: readonly Told[];
}

const EVERY_MS = 2_000;
const MOST_TOLD = 12;

/** The view, and a way to look at once. */
export function useScene(): View & { readonly look: () => void } {
  const [view, setView] = useState<View>({ scene: null, lastSeen: null, story: [], events: [] });
  const looking = useRef<{ isUnderWay: boolean; isWanted: boolean; before: Scene | null }>({
    isUnderWay: false,
    isWanted: false,
    before: null,
  });
  const look = useCallback(async () => {
    const { current } = looking;
    // What happens during a look may not be in it: then it is repeated.
    current.isWanted = true;
    if (current.isUnderWay) return;
    current.isUnderWay = true;
    while (current.isWanted) {
      current.isWanted = false;
      const { scene, events } = await lookAround(current.before);
      const told = current.before === null ? readArrival(scene) : tellStory(current.before, scene);
      current.before = scene;
      setView((view) => nextView(view, { scene, events, told }));
    }
    current.isUnderWay = false;
  }, []);
  useEffect(() => {
    const lookNow = (): void => void look();
    const timer = setInterval(() => document.visibilityState === 'visible' && lookNow(), EVERY_MS);
    const stopListening = onChange(lookNow);
    document.addEventListener('visibilitychange', lookNow);
    lookNow();
    return () => {
      clearInterval(timer);
      stopListening();
      document.removeEventListener('visibilitychange', lookNow);
    };
  }, [look]);
  return { ...view, look: () => void look() };
}

function nextView(view: View, { scene, events, told }: Look & { told: readonly string[] }): View {
  const at = Date.now();
  return {
    scene,
    lastSeen: scene.instance === null ? view.lastSeen : scene,
    events: events ?? view.events,
    story: [...told.map((text) => ({ at, text })).toReversed(), ...view.story].slice(0, MOST_TOLD),
  };
}

interface Look {
  readonly scene: Scene;
  /** Null when nobody could be asked. */
  readonly events: readonly Told[] | null;
}

async function lookAround(before: Scene | null): Promise<Look> {
  const [answer, stack] = await Promise.all([ask('/api/session'), ask('/api/stack')]);
  if (answer === null) {
    // What is known of the parts is all there is to go by: above all, where the other instances are.
    return { scene: { instance: null, session: null, stack: before?.stack ?? null }, events: null };
  }
  // Both answers are this app's own.
  const sight = answer as SessionSight & { instance: string; events: readonly Told[] };
  const parts = stack as StackState | null;
  const isKnown = 'version' in sight;
  const events = [...(sight.events ?? []), ...(parts?.events ?? [])].toSorted((a, b) => b.at - a.at);
  return {
    scene: { instance: sight.instance, session: isKnown ? sight : null, stack: parts },
    events: events.slice(0, MOST_TOLD),
  };
}

/** The JSON that a path gives; null when nothing answers. */
async function ask(path: string): Promise<unknown> {
  try {
    return await (await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(8_000) })).json();
  } catch {
    return null;
  }
}
