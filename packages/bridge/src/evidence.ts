/** What the nodes' answers about one session prove: pure functions, no I/O. */
import type { Item } from './node.ts';
import { type Candidate, firstOf } from './placement.ts';

/** One node's answer. A node that failed to answer has none. */
export interface Answer {
  readonly index: number;
  readonly item: Item | null;
  /** False when the item may be older than what others hold although the node is up. */
  readonly isTrusted: boolean;
}

/** A record that was found. */
export interface Hit extends Answer {
  readonly item: Item;
}

/** The answers to one look-up, and what was wanted. */
export interface Evidence {
  readonly window: readonly Candidate[];
  readonly answers: ReadonlyMap<number, Answer>;
  /** How many copies a session is written to. */
  readonly copies: number;
  /** The lowest version of use, when the reader knows one. */
  readonly floor: number | null;
}

/** `unknown`: nodes that cannot be asked may know better. */
export type Verdict =
  | { readonly kind: 'found'; readonly hit: Hit }
  | { readonly kind: 'gone'; readonly hit: Hit }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' };

export function isTombstone(item: Item): boolean {
  return item.value.length === 0;
}

/** Whether two nodes hold the same record. */
export function isSameState(
  one: Pick<Item, 'version' | 'value'>,
  other: Pick<Item, 'version' | 'value'>,
): boolean {
  return one.version === other.version && one.value.equals(other.value);
}

/**
 * The verdict when all copies hold the same, or null when others must be asked. Every acknowledged write is on
 * one of them, except when as many nodes as there are copies fell out together before the last of them.
 */
export function judgeCopies(evidence: Evidence, copies: readonly number[]): Verdict | null {
  let first: Hit | null = null;
  for (const index of copies) {
    const answer = evidence.answers.get(index);
    if (!isHit(answer) || !answer.isTrusted) return null;
    if (first !== null && !isSameState(answer.item, first.item)) return null;
    first ??= answer;
  }
  if (first === null) return null;
  if (isTombstone(first.item)) return { kind: 'gone', hit: first };
  const { version } = first.item;
  const isEnough =
    evidence.floor === null
      ? countHidden(evidence, copies.at(-1)) < evidence.copies
      : version >= evidence.floor;
  return isEnough ? { kind: 'found', hit: first } : null;
}

/** Nodes ahead of this one that cannot be asked and may know something. */
function countHidden({ window }: Evidence, before: number | undefined): number {
  let hidden = 0;
  for (const { index, isAvailable, isLost } of window) {
    if (index === before) break;
    if (!isAvailable && !isLost) hidden += 1;
  }
  return hidden;
}

/** The verdict when every node that can be asked has been asked. */
export function judge(evidence: Evidence): Verdict {
  const hits = [...evidence.answers.values()].filter(isHit);
  const tombstone = newest(
    evidence,
    hits.filter((hit) => isTombstone(hit.item)),
  );
  // A destroyed session has no newer state: its id is never used again.
  if (tombstone !== null) return { kind: 'gone', hit: tombstone };
  const silent = countSilent(evidence);
  const hit = newest(evidence, hits);
  // Where no node answers at all, an outage is likelier than that all of them have lost everything.
  if (hit === null)
    return silent === 0 && evidence.answers.size > 0 ? { kind: 'absent' } : { kind: 'unknown' };
  if (silent === 0) return { kind: 'found', hit };
  const { version } = hit.item;
  const isTrusted = hits.some(
    (each) => each.isTrusted && each.item.version === version && isProper(evidence, each.index),
  );
  if (evidence.floor !== null) {
    const isConfirmed = isTrusted || isHeldByMost(evidence);
    return isConfirmed && version >= evidence.floor ? { kind: 'found', hit } : { kind: 'unknown' };
  }
  // Fewer silent nodes than copies cannot hide a newer save, provided that memory was lost nowhere.
  return isTrusted && silent < evidence.copies ? { kind: 'found', hit } : { kind: 'unknown' };
}

/**
 * Whether the node would know of newer saves. A spare that once took the place of a copy does not: what it has left
 * from then grows old without anybody missing it. A node that is being drained is taken to know, as long as nobody
 * contradicts it: most sessions are still there. (Where there is one copy only, any node is as good as the other.)
 */
function isProper({ window, copies }: Evidence, index: number): boolean {
  const first = firstOf(window, copies);
  if (copies === 1) return first.includes(index);
  const ranked = window.filter(({ isLost }) => !isLost).map((candidate) => candidate.index);
  return first.slice(0, copies).includes(index) || ranked.slice(0, copies).includes(index);
}

/**
 * Whether most of the first nodes have something of the session. They have not lost their memory then, so one of
 * them is among those that were written to last. A node that has nothing may have lost it: an old record that came
 * back with its node would stand alone there against what only a silent node knows, a logout for example.
 */
function isHeldByMost({ window, copies, answers }: Evidence): boolean {
  const first = firstOf(window, copies);
  return first.filter((index) => isHit(answers.get(index))).length > first.length / 2;
}

/** Nodes that may know something and have not answered. */
export function countSilent({ window, answers }: Evidence): number {
  return window.filter(({ index, isLost }) => !answers.has(index) && !isLost).length;
}

/** Whether two nodes hold different records under the version of the hit. */
export function isForked({ answers }: Evidence, hit: Hit): boolean {
  return [...answers.values()].some(
    ({ item }) => item?.version === hit.item.version && !isSameState(item, hit.item),
  );
}

function isHit(answer: Answer | undefined): answer is Hit {
  return answer !== undefined && answer.item !== null;
}

/**
 * The highest version. Where two records have the same one, the one that may have been acknowledged: a trusted
 * one, then the one on more nodes, then the one further back in the session's order. A writer goes from front to
 * back, so what is only in front is unfinished, and its writer will find the other one in its way.
 */
function newest(evidence: Evidence, hits: readonly Hit[]): Hit | null {
  const place = new Map(evidence.window.map(({ index }, position) => [index, position]));
  const weigh = (hit: Hit): readonly number[] => {
    const same = hits.filter((other) => isSameState(other.item, hit.item));
    const isTrusted = same.some((each) => each.isTrusted);
    const last = Math.max(...same.map(({ index }) => place.get(index) ?? 0));
    return [hit.item.version, Number(isTrusted), same.length, last, Number(hit.isTrusted)];
  };
  return hits.reduce<Hit | null>(
    (best, hit) => (best === null || isHigher(weigh(hit), weigh(best)) ? hit : best),
    null,
  );
}

function isHigher(one: readonly number[], other: readonly number[]): boolean {
  for (const [at, number] of one.entries()) {
    const difference = number - (other[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
