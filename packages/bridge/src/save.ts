/** One save: compare-and-swap at the anchor, then at the other copies, and what happens when they disagree. */
import { agree, type AgreementOptions } from './agreement.ts';
import { countSilent, type Hit, isSameState, isTombstone } from './evidence.ts';
import type { Lookup, WriteOutcome } from './lookup.ts';
import type { Item, NewItem } from './node.ts';
import type { StoreObserver } from './observer.ts';

/** `holders`: the nodes that acknowledged, the anchor first. */
export type SaveOutcome =
  | { readonly kind: 'stored'; readonly holders: readonly number[] }
  | { readonly kind: 'conflict'; readonly hit: Hit }
  | { readonly kind: 'gone'; readonly hit: Hit }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'out_of_memory' }
  | { readonly kind: 'too_large' };

export interface SaveOptions {
  /** The version it replaces, or null to create. */
  readonly base: number | null;
  readonly agreement: Omit<AgreementOptions, 'floor' | 'touchSeconds'>;
}

/** The state of one save. */
export class Save {
  readonly #lookup: Lookup;
  readonly #item: NewItem;
  readonly #base: number | null;
  readonly #agreement: AgreementOptions;
  readonly #observer: StoreObserver;
  /** What it replaces, as all copies have it; null where there is nothing. */
  #replaced: Item | null = null;

  constructor(lookup: Lookup, item: NewItem, { base, agreement }: SaveOptions) {
    this.#lookup = lookup;
    this.#item = item;
    this.#base = base;
    this.#agreement = { ...agreement, floor: base, touchSeconds: null };
    this.#observer = agreement.observer;
  }

  async run(): Promise<SaveOutcome> {
    // A new id is not on any node, so the first try needs no look. What is created under a later version is not new.
    let mustLook = this.#mustLook;
    while (this.#lookup.hasTimeLeft) {
      if (mustLook) {
        const obstacle = await this.#look();
        if (obstacle !== null) return obstacle;
      }
      mustLook = true;
      const [anchor] = this.#lookup.copies;
      if (anchor === undefined) break;
      if (!this.#lookup.isQuorum(this.#lookup.copies)) {
        if (await this.#lookup.learnsOfLoss()) continue;
        break;
      }
      if (await this.#store(anchor)) return this.#copy(anchor);
    }
    return this.#nowhere();
  }

  #nowhere(): SaveOutcome {
    if (this.#lookup.hasMetLimit) return { kind: 'too_large' };
    return this.#lookup.hasMetFullNode ? { kind: 'out_of_memory' } : { kind: 'unknown' };
  }

  get #mustLook(): boolean {
    return this.#base !== null || this.#item.version > 1;
  }

  /** What stands against this save, or null when the session is in the state it replaces, or has it already. */
  async #look(): Promise<SaveOutcome | null> {
    const verdict = await agree(this.#lookup, this.#agreement);
    if (verdict.kind === 'gone') return verdict;
    if (verdict.kind !== 'found') return this.#mayCreate() ? null : verdict;
    const { hit } = verdict;
    this.#replaced = hit.item;
    if (this.#isOurs(hit.item) || hit.item.version === this.#base) return null;
    return { kind: 'conflict', hit };
  }

  /** Nobody knows the session. Fewer silent nodes than copies cannot hide that it was destroyed. */
  #mayCreate(): boolean {
    const evidence = this.#lookup.evidence(null);
    const isUnseen = [...evidence.answers.values()].every(({ item }) => item === null);
    return this.#base === null && isUnseen && countSilent(evidence) < evidence.copies;
  }

  #isOurs(item: Item): boolean {
    return isSameState(item, this.#item);
  }

  /** Whether the anchor now holds this save. */
  async #store(anchor: number): Promise<boolean> {
    const seen = this.#lookup.answers.get(anchor)?.item ?? null;
    if (seen !== null && this.#isOurs(seen)) return true;
    return (await this.#lookup.write(anchor, this.#item, seen)).stored;
  }

  /** The anchor holds it; now the other copies. The place of one that fails is taken by the next node. */
  async #copy(anchor: number): Promise<SaveOutcome> {
    let holders = [anchor];
    let hasPassedOver = false;
    for (;;) {
      const { copies, hasTimeLeft } = this.#lookup;
      const missing = copies.filter((index) => !holders.includes(index));
      if (missing.length === 0 || !hasTimeLeft) break;
      if (!this.#lookup.isQuorum([...holders, ...missing]) && !(await this.#lookup.learnsOfLoss())) break;
      const results = await Promise.all(missing.map((index) => this.#copyTo(index)));
      for (const result of results) {
        if (typeof result === 'number') holders.push(result);
        else if (result !== null) return this.#yield(result);
        else hasPassedOver = true;
      }
    }
    // While a node was waited for that did not answer, another writer may have replaced this save where it was first.
    if (hasPassedOver) {
      const found = await this.#lookAgain(holders);
      if ('item' in found) return this.#yield(found);
      holders = found.holders;
    }
    this.#doubtOthers(holders);
    if (await this.#lookup.reachesQuorum(holders)) return { kind: 'stored', holders };
    // It is not taken back: a reader may have been shown it meanwhile.
    return this.#nowhere();
  }

  /** Which of these nodes still hold this save, or what contradicts it there. */
  async #lookAgain(indexes: readonly number[]): Promise<Hit | { readonly holders: number[] }> {
    // An answer that is not waited for is no fault of the node's, and would be booked as one.
    if (!this.#lookup.hasTimeLeft) return { holders: [] };
    await this.#lookup.ask(indexes);
    const answers = indexes.flatMap((index) => this.#lookup.answers.get(index) ?? []);
    for (const { index, item, isTrusted } of answers)
      if (item !== null && !this.#isOurs(item)) return { index, item, isTrusted };
    return { holders: answers.filter(({ item }) => item !== null).map(({ index }) => index) };
  }

  /** A node that was passed over may be up again in a moment, with what it held before. */
  #doubtOthers(holders: readonly number[]): void {
    for (const index of this.#lookup.placement.copies) {
      if (holders.includes(index)) continue;
      this.#observer.count('passed_over');
      this.#lookup.doubt(index);
    }
  }

  /** The node when it took the copy, null when it could not, or what contradicts the save. */
  async #copyTo(index: number): Promise<number | Hit | null> {
    // On a new session's first try nothing is known, and nothing is what is expected there.
    let mustAsk = this.#mustLook && !this.#lookup.answers.has(index);
    while (this.#lookup.hasTimeLeft) {
      if (mustAsk) await this.#lookup.ask([index]);
      if (this.#lookup.hasFailed(index)) return null;
      mustAsk = true;
      const answer = this.#lookup.answers.get(index);
      const seen = answer?.item ?? null;
      if (seen !== null && this.#isOurs(seen)) return index;
      if (seen !== null && !this.#isReplaceable(seen)) {
        return { index, item: seen, isTrusted: answer?.isTrusted ?? false };
      }
      const outcome = await this.#lookup.write(index, this.#item, seen);
      if (outcome.stored) return index;
      if (outcome.reason === 'failed' || outcome.reason === 'out_of_memory') return null;
    }
    return null;
  }

  /** What this save replaces, or is older than that. Anything else was written by somebody who did not know it. */
  #isReplaceable(seen: Item): boolean {
    if (this.#replaced === null || isTombstone(seen)) return false;
    return seen.version < this.#replaced.version || isSameState(seen, this.#replaced);
  }

  /**
   * Another writer passed the other copy first, or came after and has already replaced this save there. Its
   * record stands; whoever sent this save sees in that record whether it knew it.
   */
  async #yield(hit: Hit): Promise<SaveOutcome> {
    const outcomes = await this.#replaceWith(hit.item);
    if (isTombstone(hit.item)) return { kind: 'gone', hit };
    if (outcomes.some(({ stored }) => stored)) this.#observer.count('fork');
    return { kind: 'conflict', hit };
  }

  /** Puts the item in the place of this save wherever that still stands. */
  async #replaceWith(item: Item): Promise<readonly WriteOutcome[]> {
    const ours = [...this.#lookup.answers.values()].filter(
      (answer) => answer.item !== null && this.#isOurs(answer.item),
    );
    const { version, value } = item;
    const other: NewItem = { version, value, ttlSeconds: this.#agreement.ttlSeconds(item) };
    return Promise.all(ours.map((answer) => this.#lookup.write(answer.index, other, answer.item)));
  }
}
