/** One view of the bridge made from those of its processes and from what the nodes say of themselves. Pure. */
import type { Look, NodeLook } from './member.ts';
import type { NodeFacts } from './node-facts.ts';
import type { Sample } from './samples.ts';

/** A node as the whole bridge sees it. */
export interface NodeOverview extends NodeLook {
  /** Processes for which it is in another, better state. */
  readonly dissenters: number;
  /** Null until it has told them, and while it is out. */
  readonly facts: NodeFacts | null;
  /** Answers given with what it holds, within the last minute. */
  readonly servedLastMinute: number;
}

/** Something that happened, in words. */
export interface Incident {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Null when it is about the bridge. */
  readonly node: number | null;
  /** `bad`: fewer nodes than before. `good`: it is over. */
  readonly kind: 'bad' | 'warning' | 'good' | 'change';
  readonly text: string;
}

/** The bridge at one moment. */
export interface Overview {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly startedAt: number;
  readonly version: string;
  readonly processes: number;
  readonly crashes: number;
  readonly epoch: number;
  /** Why it gets no traffic, or null. */
  readonly notReady: string | null;
  readonly isInDoubt: boolean;
  readonly nodes: readonly NodeOverview[];
  /** What should be looked after, in words. */
  readonly warnings: readonly Warning[];
}

export interface Warning {
  /** Null when it is about the bridge. */
  readonly node: number | null;
  readonly code: string;
  readonly text: string;
}

/** States from best to worst. */
const ORDER: readonly NodeLook['state'][] = ['up', 'suspected', 'probing', 'down', 'removed'];

/** The worse of two states. */
export function isWorse(state: NodeLook['state'], than: NodeLook['state']): boolean {
  return ORDER.indexOf(state) > ORDER.indexOf(than);
}

/** Each node as the process sees it that sees it worst, which is the one whose requests suffer. */
export function mergeNodes(
  looks: readonly Look[],
  facts: ReadonlyMap<number, NodeFacts>,
  lastMinute: readonly Sample[],
): NodeOverview[] {
  const indexes = [...new Set(looks.flatMap(({ nodes }) => nodes.map(({ index }) => index)))];
  return indexes
    .toSorted((a, b) => a - b)
    .flatMap((index) => {
      const views = looks.flatMap(({ nodes }) => nodes.filter((node) => node.index === index));
      const [first, ...rest] = views;
      if (first === undefined) return [];
      const worst = rest.reduce((found, view) => (isWorse(view.state, found.state) ? view : found), first);
      const { address, state, isDraining, since, reason } = worst;
      const isOut = state === 'down' || state === 'removed';
      return {
        index,
        address,
        state,
        isDraining,
        since,
        reason,
        dissenters: views.filter((view) => isWorse(state, view.state)).length,
        facts: isOut ? null : (facts.get(index) ?? null),
        servedLastMinute: countServed(lastMinute, index),
      };
    });
}

/** Samples hold rates; each stands for the time since the one before it. */
function countServed(samples: readonly Sample[], index: number): number {
  let total = 0;
  for (const [position, { at, nodes }] of samples.entries()) {
    const before = samples[position - 1]?.at ?? at - 1_000;
    const rate = nodes.find((node) => node.index === index)?.served ?? 0;
    total += (rate * (at - before)) / 1_000;
  }
  return Math.round(total);
}

const NO_COPY_LEFT = 'Sessions that have all their copies on nodes that are down cannot be answered.';

/** A change of a node's state as a sentence. */
export function tellTransition(change: {
  readonly index: number;
  readonly from: NodeLook['state'];
  readonly to: NodeLook['state'];
  readonly reason: string;
  /** Whether another node was down already. */
  readonly isNotFirst: boolean;
}): Pick<Incident, 'kind' | 'text'> {
  const { index, from, to, reason, isNotFirst } = change;
  switch (to) {
    case 'down':
      return {
        kind: 'bad',
        text: `Node ${index} is down: ${reason}. ${isNotFirst ? NO_COPY_LEFT : 'Its sessions are served by their other copies.'}`,
      };
    case 'suspected':
      return { kind: 'warning', text: `Node ${index} is suspected: ${reason}.` };
    case 'probing':
      return { kind: 'change', text: `Node ${index} answers again and is being checked.` };
    case 'removed':
      return { kind: 'change', text: `Node ${index} was removed from the list.` };
    case 'up':
      return from === 'suspected'
        ? { kind: 'good', text: `Node ${index} is no longer suspected: it ${reason}.` }
        : { kind: 'good', text: `Node ${index} is in use: it ${reason}.` };
  }
}
