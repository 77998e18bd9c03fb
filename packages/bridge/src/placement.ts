/** Where a session belongs: pure functions of its id, the node list and which nodes are up. */

/** A node as placement sees it. */
export interface Candidate {
  readonly index: number;
  /** May be asked and written to now. */
  readonly isAvailable: boolean;
  /** Is to be emptied: still read, but no longer a copy of anything that is saved. */
  readonly isDraining: boolean;
  /** Has been down for so long that its memory counts as lost. */
  readonly isLost: boolean;
}

/**
 * Nodes, in the session's order, that may ever hold it. More are never asked, whatever ref is sent; only where too few
 * of these are to stay, some of those that are.
 */
export const WINDOW_SIZE = 8;

/**
 * The first `most` of the nodes in rendezvous order of (id, index): each node gets a score for the id and
 * the highest comes first, so that when a node leaves, its sessions spread evenly over the others and no
 * other session moves (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998).
 */
export function rank(id: string, indexes: readonly number[], most: number = WINDOW_SIZE): number[] {
  const high = Number.parseInt(id.slice(0, 8), 16);
  const low = Number.parseInt(id.slice(8, 16), 16);
  // The best so far, in order: with many nodes this costs a quarter of sorting all of them.
  const ranked: { readonly index: number; readonly score: number }[] = [];
  for (const index of indexes) {
    const score = murmur3(high, low, index);
    let place = ranked.length;
    for (; place > 0; place -= 1) {
      const ahead = ranked[place - 1];
      if (ahead === undefined || ahead.score > score || (ahead.score === score && ahead.index < index)) break;
    }
    if (place < most) ranked.splice(place, 0, { index, score });
    if (ranked.length > most) ranked.pop();
  }
  return ranked.map(({ index }) => index);
}

/** The nodes of the list that are not removed, and which of them are not being drained. */
export interface Indexes {
  readonly all: readonly number[];
  readonly staying: readonly number[];
}

/**
 * The session's window. Where the nodes in it are nearly all being drained, the first of those that stay follow behind
 * them: there must be one more than copies to go to, or the session would end with the nodes that are emptied.
 */
export function rankWindow(id: string, { all, staying }: Indexes, copies: number): number[] {
  const window = rank(id, all);
  if (all.length === staying.length || all.length === window.length) return window;
  const next = rank(id, staying, copies + 1).filter((index) => !window.includes(index));
  return [...window, ...next];
}

/** MurmurHash3 x86_32 (Appleby) of three 32-bit words with seed 0. */
function murmur3(first: number, second: number, third: number): number {
  let hash = mixWord(mixWord(mixWord(0, first), second), third) ^ 12;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixWord(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51);
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  mixed ^= hash;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Where one session is to be read and written. */
export interface Placement {
  /** Every node that may hold the session, in its order; then the ref's own node if it is none of them. */
  readonly window: readonly Candidate[];
  /** The nodes that are to hold it from now on. The first is the anchor, where all its writers meet. */
  readonly copies: readonly number[];
  /** Further available nodes that take the place of a copy which fails during a write. */
  readonly spares: readonly number[];
}

/** The placement of a session whose ranked nodes are given; `hint` is the node that the ref names, if it exists. */
export function place(ranked: readonly Candidate[], copies: number, hint: Candidate | null): Placement {
  const isHintInside = hint === null || ranked.some(({ index }) => index === hint.index);
  const chosen: number[] = [];
  for (const { index, isAvailable } of drainingLast(ranked)) if (isAvailable) chosen.push(index);
  return {
    window: isHintInside ? ranked : [...ranked, hint],
    copies: chosen.slice(0, copies),
    spares: chosen.slice(copies),
  };
}

/** Nodes that are being drained come last: better a copy there than none. */
function drainingLast(candidates: readonly Candidate[]): readonly Candidate[] {
  if (!candidates.some(({ isDraining }) => isDraining)) return candidates;
  return candidates.toSorted((a, b) => Number(a.isDraining) - Number(b.isDraining));
}

/** The home among the nodes that hold a session: the ref's own node as long as it is one of them. */
export function chooseHome(holders: readonly number[], hintIndex: number | null): number | null {
  if (hintIndex !== null && holders.includes(hintIndex)) return hintIndex;
  return holders[0] ?? null;
}

/**
 * The first nodes of a session, one more than copies: whoever writes must reach most of them. Those whose memory
 * counts as lost are none of them, and those that are being drained count where there are too few others, as they
 * are copies there.
 */
export function firstOf(
  window: readonly Candidate[],
  copies: number,
  isLost: (candidate: Candidate) => boolean = (candidate) => candidate.isLost,
): number[] {
  const first: number[] = [];
  for (const candidate of drainingLast(window)) {
    if (first.length > copies) break;
    if (!isLost(candidate)) first.push(candidate.index);
  }
  return first;
}
