/** Brings the copies of a session to one state, and gives it: what is shown to anybody is on all of them first. */
import { type Answer, isForked, isSameState, judge, judgeCopies, type Verdict } from './evidence.ts';
import type { Lookup } from './lookup.ts';
import type { Item, NewItem } from './node.ts';
import type { StoreObserver } from './observer.ts';

export interface AgreementOptions {
  /** The lowest version of use, when the caller knows one. */
  readonly floor: number | null;
  /** Gives every copy this lifetime in the same step, seconds; null leaves them theirs. */
  readonly touchSeconds: number | null;
  /** The lifetime of a copy that has to be written, seconds. */
  readonly ttlSeconds: (item: Item) => number;
  readonly observer: StoreObserver;
}

/**
 * Asks all copies. When they do not say the same, every node of the window is asked, and the newest state is
 * written, by `add` or compare-and-swap, to the copies that do not have it; this is repeated while others write.
 * So no later reader can find less, whichever copy is lost (the write-back of Attiya, Bar-Noy and Dolev,
 * "Sharing memory robustly in message-passing systems", 1995).
 */
export async function agree(lookup: Lookup, options: AgreementOptions): Promise<Verdict> {
  const { floor, touchSeconds, ttlSeconds } = options;
  const lost = lookup.lost === 0 ? 0 : await countLost(lookup);
  await lookup.ask(lookup.copies, touchSeconds);
  const together = judgeCopies(lookup.evidence(floor), lookup.copies);
  const isTogether = together !== null && isEnough(lookup, together);
  const verdict = isTogether ? together : await bringTogether(lookup, lost, options);
  // A tombstone must outlive what instances and cookies still hold of the session: no reader shortens its life.
  if (verdict.kind === 'gone' && touchSeconds !== null)
    await lookup.touch(lookup.copiesAndSpare, ttlSeconds(verdict.hit.item));
  return verdict;
}

/** For when the copies do not say the same. `lostBefore`: how many nodes counted as lost when they were asked. */
async function bringTogether(
  lookup: Lookup,
  lostBefore: number,
  options: AgreementOptions,
): Promise<Verdict> {
  const { floor, touchSeconds, observer } = options;
  let lost = lostBefore;
  observer.count('widened');
  while (lookup.hasTimeLeft) {
    await lookup.askAll(touchSeconds);
    const evidence = lookup.evidence(floor);
    const verdict = judge(evidence);
    if (!isEnough(lookup, verdict)) await lookup.learnDeaths();
    if (lookup.lost > lost) {
      // Others may have copied what the lost node had, after the nodes that are left have answered us.
      lost = await countLost(lookup);
      lookup.forget();
      continue;
    }
    if (verdict.kind === 'absent' || verdict.kind === 'unknown') return verdict;
    if (isForked(evidence, verdict.hit)) observer.count('fork');
    if (await writeBack(lookup, verdict.hit.item, options))
      return isEnough(lookup, verdict) ? verdict : { kind: 'unknown' };
  }
  return { kind: 'unknown' };
}

/** Where so many have lost their memory that they may have been all that knew the session, it is made sure of. */
async function countLost(lookup: Lookup): Promise<number> {
  if (lookup.lost >= lookup.copies.length) await lookup.confirmLosses();
  return lookup.lost;
}

/** Whoever was acknowledged wrote to a quorum, so whoever asked one has met the newest state. */
function isEnough(lookup: Lookup, verdict: Verdict): boolean {
  return verdict.kind !== 'unknown' && (verdict.kind !== 'found' || lookup.isQuorum(lookup.answers.keys()));
}

/** Whether all copies have the state now; a copy that failed is none any more, and another takes its place. */
async function writeBack(
  lookup: Lookup,
  item: Item,
  { ttlSeconds, observer }: AgreementOptions,
): Promise<boolean> {
  const needsIt = (answer: Answer | undefined): boolean =>
    answer?.item == null || !answer.isTrusted || !isSameState(answer.item, item);
  const stale = lookup.copies.filter((index) => needsIt(lookup.answers.get(index)));
  if (stale.length === 0) return true;
  const copy: NewItem = { version: item.version, value: item.value, ttlSeconds: ttlSeconds(item) };
  const outcomes = await Promise.all(
    stale.map((index) => lookup.write(index, copy, lookup.answers.get(index)?.item ?? null)),
  );
  for (const outcome of outcomes) if (outcome.stored) observer.count('repair');
  // Where somebody else wrote, or a node failed, the next round looks again.
  return outcomes.every((outcome) => outcome.stored);
}
