/** One save: compare-and-swap at the anchor, then at the other copies, and what happens when they disagree. */
import {
  countSilent,
  findForks,
  type Hit,
  isTombstone,
  judge,
  judgeAlone,
  type Verdict,
} from './evidence.ts';
import type { Lookup } from './lookup.ts';
import type { Item, NewItem } from './node.ts';
import type { StoreObserver } from './observer.ts';

/** `holders`: the nodes that acknowledged, the anchor first. */
export type SaveOutcome =
  | { readonly kind: 'stored'; readonly holders: readonly number[] }
  | { readonly kind: 'conflict'; readonly hit: Hit }
  | { readonly kind: 'gone'; readonly hit: Hit }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'out_of_memory' };

/** Another writer may come first this often before the save gives up. */
const ROUNDS = 6;
/** And this often at the other copies. */
const COPY_ROUNDS = 3;

/** The state of one save. `base`: the version it replaces, or null to create. */
export class Save {
  readonly #lookup: Lookup;
  readonly #item: NewItem;
  readonly #base: number | null;
  readonly #observer: StoreObserver;
  readonly #targets: number[];
  readonly #spares: number[];
  #refusals = 0;

  constructor(
    lookup: Lookup,
    item: NewItem,
    options: { readonly base: number | null; readonly observer: StoreObserver },
  ) {
    this.#lookup = lookup;
    this.#item = item;
    this.#base = options.base;
    this.#observer = options.observer;
    this.#targets = [...lookup.placement.copies];
    this.#spares = [...lookup.placement.spares];
  }

  async run(): Promise<SaveOutcome> {
    // A new id is not on any node, so the first try needs no look.
    let mustLook = this.#base !== null;
    for (let round = 0; round < ROUNDS && this.#lookup.hasTimeLeft; round += 1) {
      const [anchor] = this.#targets;
      if (anchor === undefined) return this.#nowhere();
      if (mustLook) {
        const obstacle = await this.#look(anchor);
        if (obstacle !== null) return obstacle;
      }
      mustLook = true;
      // A node that failed while it was looked at is replaced first.
      if (this.#lookup.hasFailed(anchor)) this.#passOver(anchor);
      else if (await this.#store(anchor)) return this.#copy(anchor);
    }
    return { kind: 'unknown' };
  }

  /** Nothing is left to write to. */
  #nowhere(): SaveOutcome {
    const tried = this.#lookup.placement.copies.length + this.#lookup.placement.spares.length;
    return this.#refusals > 0 && this.#refusals === tried ? { kind: 'out_of_memory' } : { kind: 'unknown' };
  }

  /** What stands against this save, or null when the session is in the state it replaces, or has it already. */
  async #look(anchor: number): Promise<SaveOutcome | null> {
    const verdict = await this.#findCurrent(anchor);
    if (verdict.kind === 'gone') return verdict;
    if (verdict.kind !== 'found') return this.#mayCreate() ? null : verdict;
    const { hit } = verdict;
    if (this.#isOurs(hit.item) || hit.item.version === this.#base) return null;
    return { kind: 'conflict', hit };
  }

  /** Nobody knows the session. Fewer silent nodes than copies cannot hide that it was destroyed. */
  #mayCreate(): boolean {
    const evidence = this.#lookup.evidence(null);
    const isUnseen = [...evidence.answers.values()].every(({ item }) => item === null);
    return this.#base === null && isUnseen && countSilent(evidence) < evidence.copies;
  }

  async #findCurrent(anchor: number): Promise<Verdict> {
    await this.#lookup.ask(this.#targets);
    const first = judgeAlone(this.#lookup.evidence(this.#base), anchor);
    if (first !== null && !this.#isContradicted(first)) return first;
    await this.#lookup.askAll();
    const evidence = this.#lookup.evidence(this.#base);
    const verdict = judge(evidence);
    if (verdict.kind === 'found' && findForks(evidence, verdict.hit).length > 0) this.#observer.count('fork');
    return verdict;
  }

  /** Whether another copy knows something newer than the anchor. */
  #isContradicted(verdict: Verdict): boolean {
    if (verdict.kind !== 'found') return false;
    const { version } = verdict.hit.item;
    const answers = [...this.#lookup.answers.values()];
    return answers.some(({ item }) => item !== null && (item.version > version || isTombstone(item)));
  }

  #isOurs(item: Item): boolean {
    return item.version === this.#item.version && item.value.equals(this.#item.value);
  }

  /** Whether the anchor now holds this save. */
  async #store(anchor: number): Promise<boolean> {
    const seen = this.#lookup.answers.get(anchor)?.item ?? null;
    if (seen !== null && this.#isOurs(seen)) return true;
    const outcome = await this.#lookup.write(anchor, this.#item, seen);
    if (outcome.stored) return true;
    if (outcome.reason === 'failed' || outcome.reason === 'out_of_memory') {
      if (outcome.reason === 'out_of_memory') this.#refusals += 1;
      this.#passOver(anchor);
    }
    return false;
  }

  /** The next copy becomes the anchor, and a spare takes the free place. */
  #passOver(anchor: number): void {
    this.#observer.count('passed_over');
    // It may be up again in a moment, with what it held before.
    this.#lookup.doubt(anchor);
    this.#targets.splice(this.#targets.indexOf(anchor), 1);
    const spare = this.#spares.shift();
    if (spare !== undefined) this.#targets.push(spare);
  }

  /** The anchor holds it; now the other copies. */
  async #copy(anchor: number): Promise<SaveOutcome> {
    const others = this.#targets.filter((index) => index !== anchor);
    const results = await Promise.all(others.map((index) => this.#copyToOneOf(index)));
    const holders: number[] = [anchor];
    for (const result of results) {
      if (result === null) continue;
      if (typeof result === 'number') holders.push(result);
      else if (await this.#isSuperseded(anchor, result)) holders.push(result.index);
      else return this.#yield(result);
    }
    return { kind: 'stored', holders };
  }

  /** The node that took the copy, or null when none could, or what contradicts the save. */
  async #copyToOneOf(first: number): Promise<number | Hit | null> {
    for (let index: number | undefined = first; index !== undefined; index = this.#spares.shift()) {
      const result = await this.#copyTo(index);
      if (result !== null) return result;
      this.#observer.count('passed_over');
      this.#lookup.doubt(index);
    }
    return null;
  }

  async #copyTo(index: number): Promise<number | Hit | null> {
    for (let round = 0; round < COPY_ROUNDS && this.#lookup.hasTimeLeft; round += 1) {
      // On a new session's first try nothing is known, and nothing is what is expected there.
      const answer = this.#lookup.answers.get(index);
      const seen = answer?.item ?? null;
      if (answer === undefined && (this.#base !== null || round > 0)) {
        await this.#lookup.ask([index]);
        if (this.#lookup.hasFailed(index)) return null;
        continue;
      }
      if (seen !== null) {
        if (this.#isOurs(seen)) return index;
        if (isTombstone(seen) || seen.version >= this.#item.version) {
          return { index, item: seen, isTrusted: answer?.isTrusted ?? false };
        }
      }
      const outcome = await this.#lookup.write(index, this.#item, seen);
      if (outcome.stored) return index;
      if (outcome.reason === 'failed' || outcome.reason === 'out_of_memory') return null;
      await this.#lookup.ask([index]);
    }
    return null;
  }

  /**
   * Whether somebody replaced this save at the anchor already, and so knew it: then what the other copy holds
   * is newer than the save and contains it.
   */
  async #isSuperseded(anchor: number, contradiction: Hit): Promise<boolean> {
    if (isTombstone(contradiction.item) || contradiction.item.version <= this.#item.version) return false;
    await this.#lookup.ask([anchor]);
    const item = this.#lookup.answers.get(anchor)?.item ?? null;
    return item !== null && !isTombstone(item) && item.version > this.#item.version;
  }

  /** Another writer passed the other copy first without passing the anchor: its record stands. */
  async #yield(hit: Hit): Promise<SaveOutcome> {
    const { version, value } = hit.item;
    const isGone = isTombstone(hit.item);
    if (!isGone) this.#observer.count('fork');
    const item: NewItem = { version, value, ttlSeconds: this.#item.ttlSeconds };
    const undo = [...this.#lookup.answers.values()].filter(
      (answer) => answer.item !== null && this.#isOurs(answer.item),
    );
    await Promise.all(undo.map((answer) => this.#lookup.write(answer.index, item, answer.item)));
    return isGone ? { kind: 'gone', hit } : { kind: 'conflict', hit };
  }
}
