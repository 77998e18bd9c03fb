/** What the nodes' answers about one session prove: pure functions, no I/O. */
import type { Item } from './node.ts';
import type { Candidate } from './placement.ts';

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

/**
 * The verdict that the anchor's answer alone allows, or null when others must be asked. Every acknowledged write
 * is at the anchor, except when it only just became the anchor because as many nodes as there are copies fell
 * out together.
 */
export function judgeAlone(evidence: Evidence, anchorIndex: number): Verdict | null {
  const answer = evidence.answers.get(anchorIndex);
  if (answer === undefined || !isHit(answer)) return null;
  if (isTombstone(answer.item)) return { kind: 'gone', hit: answer };
  if (!answer.isTrusted || answer.item.version < (evidence.floor ?? 0)) return null;
  const ahead = evidence.window.slice(
    0,
    evidence.window.findIndex(({ index }) => index === anchorIndex),
  );
  const hidden = ahead.filter((candidate) => !candidate.isAvailable && !candidate.isLost).length;
  return evidence.floor !== null || hidden < evidence.copies ? { kind: 'found', hit: answer } : null;
}

/** The verdict when every node that can be asked has been asked. */
export function judge(evidence: Evidence): Verdict {
  const hits = [...evidence.answers.values()].filter(isHit);
  const tombstone = newest(hits.filter((hit) => isTombstone(hit.item)));
  // A destroyed session has no newer state: its id is never used again.
  if (tombstone !== null) return { kind: 'gone', hit: tombstone };
  const silent = evidence.window.filter(
    ({ index, isLost }) => !evidence.answers.has(index) && !isLost,
  ).length;
  const hit = newest(hits);
  if (hit === null) return silent === 0 ? { kind: 'absent' } : { kind: 'unknown' };
  if (silent === 0) return { kind: 'found', hit };
  const { version } = hit.item;
  if (evidence.floor !== null)
    return version >= evidence.floor ? { kind: 'found', hit } : { kind: 'unknown' };
  // Fewer silent nodes than copies cannot hide a newer save, provided that memory was lost nowhere.
  const isConfirmed = hits.some((each) => each.isTrusted && each.item.version === version);
  return isConfirmed && silent < evidence.copies ? { kind: 'found', hit } : { kind: 'unknown' };
}

/** Nodes that may know something and have not answered. */
export function countSilent({ window, answers }: Evidence): number {
  return window.filter(({ index, isLost }) => !answers.has(index) && !isLost).length;
}

/** Answers that hold a record of the same version as the hit, but another one. */
export function findForks(evidence: Evidence, hit: Hit): Hit[] {
  return [...evidence.answers.values()]
    .filter(isHit)
    .filter((other) => other.item.version === hit.item.version && !other.item.value.equals(hit.item.value));
}

function isHit(answer: Answer): answer is Hit {
  return answer.item !== null;
}

/** The highest version; between equal ones a trusted answer, then the same one on every bridge. */
function newest(hits: readonly Hit[]): Hit | null {
  return hits.reduce<Hit | null>((best, hit) => (best === null || isBetter(hit, best) ? hit : best), null);
}

function isBetter(hit: Hit, than: Hit): boolean {
  if (hit.item.version !== than.item.version) return hit.item.version > than.item.version;
  if (hit.isTrusted !== than.isTrusted) return hit.isTrusted;
  return hit.item.value.compare(than.item.value) > 0;
}
