/** What happens to a session on the nodes: read, save, touch, destroy, repair. */
import { LIMITS, type SessionRef } from '@memsession/client/protocol';
import { agree } from './agreement.ts';
import type { Cluster } from './cluster.ts';
import { Doubts } from './doubts.ts';
import { type Hit, isTombstone } from './evidence.ts';
import { Lifetimes } from './lifetimes.ts';
import { Lookup, type LookupContext } from './lookup.ts';
import type { Clock, Item, NewItem } from './node.ts';
import type { StoreObserver } from './observer.ts';
import { chooseHome } from './placement.ts';
import { Save, type SaveOutcome } from './save.ts';
import { Settler } from './settler.ts';

export interface StoreOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** How many nodes hold a session, 1 or more. */
  readonly copies: number;
  /** Deadline of one node operation, milliseconds. */
  readonly nodeTimeoutMs: number;
  readonly observer: StoreObserver;
}

/** A session of one app. */
export interface SessionAddress {
  readonly app: string;
  readonly ref: SessionRef;
}

export interface ReadRequest extends SessionAddress {
  /** The lowest version of use, when the reader knows one. */
  readonly floor: number | null;
  /** Gives every copy this lifetime in the same step. */
  readonly ttlSeconds: number | null;
}

export interface SaveRequest extends SessionAddress {
  readonly version: number;
  /** The version that is replaced, lower than `version`; null creates. */
  readonly base: number | null;
  readonly ttlSeconds: number;
  readonly record: Buffer;
}

/** A stored record with the node index that its ref now carries. */
export interface Found {
  readonly version: number;
  readonly record: Buffer;
  readonly home: number;
}

/** Outcomes of the store. `unknown`: nodes that may know better cannot be asked. */
export type ReadResult =
  | ({ readonly kind: 'found' } & Found)
  | { readonly kind: 'gone' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' };

export type SaveResult =
  | { readonly kind: 'stored'; readonly home: number; readonly copies: number }
  | ({ readonly kind: 'conflict' } & Found)
  | { readonly kind: 'gone' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'out_of_memory' }
  | { readonly kind: 'too_large' };

export type DestroyResult = { readonly kind: 'destroyed' } | { readonly kind: 'unknown' };

/** Node operations of one request may take this many deadlines together. */
const BUDGET_DEADLINES = 3;
/** A tombstone outlives everything that an instance or a cookie may still hold of the session. */
const TOMBSTONE_LIVES = 2;

/** Sessions on the nodes. Every method settles within three node deadlines and throws only on defects. */
export class SessionStore {
  readonly #options: StoreOptions;
  readonly #context: LookupContext;
  readonly #doubts: Doubts;
  readonly #settler: Settler;
  /** For repairs, which are told none. */
  readonly #lifetimes: Lifetimes;

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#doubts = new Doubts(options.clock);
    this.#lifetimes = new Lifetimes(options.clock);
    const { cluster, clock, copies, nodeTimeoutMs } = options;
    const doubts = this.#doubts;
    const budgetMs = nodeTimeoutMs * BUDGET_DEADLINES;
    this.#context = { cluster, clock, copies, nodeTimeoutMs, doubts, budgetMs };
    this.#settler = new Settler({ cluster, clock, doubts, confirm: (key) => this.#confirm(key) });
  }

  /** Ends the work in the background. */
  close(): void {
    this.#settler.stop();
  }

  /** Keys whose last write on some node got no answer. */
  get doubtCount(): number {
    return this.#doubts.size;
  }

  async read(request: ReadRequest): Promise<ReadResult> {
    const { app, floor, ttlSeconds } = request;
    const lookup = this.#lookUp(request, ttlSeconds);
    const verdict = await agree(lookup, { ...this.#agreementOf(app), floor, touchSeconds: ttlSeconds });
    if (verdict.kind !== 'found') return this.#end(verdict.kind);
    return { kind: 'found', ...this.#found(lookup, verdict.hit) };
  }

  async save(request: SaveRequest): Promise<SaveResult> {
    const { app, version, record, ttlSeconds, base } = request;
    const lookup = this.#lookUp(request, ttlSeconds);
    const item: NewItem = { version, value: record, ttlSeconds };
    const outcome = await new Save(lookup, item, { base, agreement: this.#agreementOf(app) }).run();
    return this.#saved(lookup, outcome);
  }

  /** Gives every copy a new lifetime; the outcome is that of a read. */
  async touch(request: SessionAddress & { readonly ttlSeconds: number }): Promise<ReadResult> {
    return this.read({ ...request, floor: null });
  }

  /** Writes a tombstone on every copy, on one node more, and wherever else something of the session is found. */
  async destroy(request: SessionAddress & { readonly ttlSeconds: number }): Promise<DestroyResult> {
    const lookup = this.#lookUp(request, null);
    await lookup.askAll();
    const isDone = await this.#bury(lookup, request.ttlSeconds);
    return isDone ? { kind: 'destroyed' } : this.#end('unknown');
  }

  /** Reading a session in doubt asks every node, and repairs. */
  async #confirm(key: string): Promise<void> {
    const [app = '', id = ''] = key.split(':');
    await this.read({ app, ref: { id, index: null }, floor: null, ttlSeconds: null });
  }

  #lookUp({ app, ref }: SessionAddress, ttlSeconds: number | null): Lookup {
    if (ttlSeconds !== null) this.#lifetimes.note(app, ttlSeconds);
    return new Lookup(this.#context, app, ref);
  }

  #agreementOf(app: string): { observer: StoreObserver; ttlSeconds: (item: Item) => number } {
    const ttlSeconds = this.#lifetimes.longestOf(app);
    const tombstoneSeconds = Math.min(ttlSeconds * TOMBSTONE_LIVES, LIMITS.ttlSeconds);
    return {
      observer: this.#options.observer,
      ttlSeconds: (item) => (isTombstone(item) ? tombstoneSeconds : ttlSeconds),
    };
  }

  #found(lookup: Lookup, hit: Hit): Found {
    const { cluster } = this.#options;
    // Looked at anew: a node may have fallen by what this request saw of it.
    const copies = lookup.placement.copies.filter((index) => cluster.candidate(index)?.isAvailable === true);
    const home = chooseHome(copies, lookup.hintIndex) ?? hit.index;
    if (lookup.hintIndex !== null && home !== lookup.hintIndex) this.#options.observer.count('relocation');
    this.#options.observer.served?.(hit.index);
    return { version: hit.item.version, record: hit.item.value, home };
  }

  #saved(lookup: Lookup, outcome: SaveOutcome): SaveResult {
    const { observer, copies } = this.#options;
    if (outcome.kind === 'conflict') {
      observer.count('conflict');
      return { kind: 'conflict', ...this.#found(lookup, outcome.hit) };
    }
    if (outcome.kind === 'stored') {
      const home = chooseHome(outcome.holders, lookup.hintIndex) ?? 0;
      if (lookup.hintIndex !== null && home !== lookup.hintIndex) observer.count('relocation');
      if (outcome.holders.length < copies) observer.count('degraded');
      for (const holder of outcome.holders) observer.served?.(holder);
      return { kind: 'stored', home, copies: outcome.holders.length };
    }
    if (outcome.kind === 'out_of_memory' || outcome.kind === 'too_large') return outcome;
    return this.#end(outcome.kind);
  }

  #end<K extends 'gone' | 'absent' | 'unknown'>(kind: K): { readonly kind: K } {
    if (kind === 'unknown') {
      this.#options.observer.count('unknown');
      this.#options.cluster.nudge();
    }
    return { kind };
  }

  /** Whether every copy that can be written to has a tombstone, and at least one. */
  async #bury(lookup: Lookup, ttlSeconds: number): Promise<boolean> {
    const held = [...lookup.answers.values()].filter(({ item }) => item !== null).map(({ index }) => index);
    const buried = new Set<number>();
    let targets = [...new Set([...lookup.copiesAndSpare, ...held])];
    while (targets.length > 0 && lookup.hasTimeLeft) {
      const results = await Promise.all(targets.map((index) => this.#buryOn(lookup, index, ttlSeconds)));
      for (const [at, index] of targets.entries()) if (results[at] === true) buried.add(index);
      // The place of a copy that failed meanwhile is taken by the next node.
      targets = lookup.copies.filter((index) => !buried.has(index));
    }
    for (const index of lookup.placement.copies) if (!buried.has(index)) lookup.doubt(index);
    return buried.size > 0 && targets.length === 0 && lookup.reachesQuorum(buried);
  }

  /** Whether the node has the tombstone now; others may be writing there too. */
  async #buryOn(lookup: Lookup, index: number, ttlSeconds: number): Promise<boolean> {
    for (let isFirst = true; lookup.hasTimeLeft; isFirst = false) {
      if (!isFirst) await lookup.ask([index]);
      if (lookup.hasFailed(index)) return false;
      const answer = lookup.answers.get(index);
      const seen = answer?.item ?? null;
      if (seen !== null && isTombstone(seen) && answer?.isTrusted === true) return true;
      const versions = [...lookup.answers.values()].map(({ item }) => item?.version ?? 0);
      const version = Math.min(Math.max(0, ...versions) + 1, LIMITS.version);
      const outcome = await lookup.write(index, { version, value: Buffer.alloc(0), ttlSeconds }, seen);
      if (outcome.stored) return true;
      if (outcome.reason === 'failed' || outcome.reason === 'out_of_memory') return false;
    }
    return false;
  }
}
