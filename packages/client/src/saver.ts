/** How a session is stored: by compare-and-swap, and again on top of whatever came first. */
import type { Held } from './cache.ts';
import { conflictingKeys } from './conflict.ts';
import type { Engine } from './engine.ts';
import { SessionError, SessionUnavailableError } from './errors.ts';
import {
  applyChanges,
  changedKeys,
  diffFields,
  fieldsOf,
  isUnchanged,
  joinFields,
  NO_FIELDS,
  type Fields,
} from './fields.ts';
import { foreignChanges, includesSave, nextHistory, nextLog } from './history.ts';
import type { Holdings } from './holdings.ts';
import { newNonce } from './identifiers.ts';
import type { SessionRecord } from './ports.ts';
import { LIMITS } from './protocol.ts';
import type { Condition, Unavailable, WriteOutcome } from './remote.ts';

/** What is to be stored. */
export interface SaveJob {
  readonly id: string;
  readonly index: number | null;
  /** What the fields were made from; null when nothing is stored. */
  readonly base: SessionRecord | null;
  readonly fields: Fields;
  /** The fields to store on top of a record that came first. */
  readonly rebase: (newer: SessionRecord) => Promise<Fields>;
  /** Whether what this instance holds may be stored again after the nodes have lost it. */
  readonly canRestore: () => boolean;
}

export type Saved =
  | { readonly kind: 'stored'; readonly held: Held }
  | {
      readonly kind: 'unavailable';
      /** What could not be stored. It may have been, if only an answer was lost. */
      readonly record: SessionRecord;
      /** What it was to replace. */
      readonly base: SessionRecord | null;
      readonly index: number | null;
      readonly error: SessionUnavailableError;
    };

/** One try of a save. */
interface Round {
  readonly base: SessionRecord | null;
  /** What this save itself wants. */
  readonly own: Fields;
  /** The same, with what it takes from an older record that it replaces. */
  readonly fields: Fields;
  readonly condition: Condition;
  readonly version: number;
  readonly index: number | null;
  /** Set when the nodes turned out to have lost what the save is based on. */
  readonly lost: 'absent' | 'older' | null;
}

/** Tries of one save: enough for sixteen savers of one session, each of whom may come first twice. */
const ROUNDS = 40;
/** Tries that follow at once; later ones wait a little, at random. */
const EAGER_ROUNDS = 2;
/** Milliseconds of that wait, at most. */
const LONGEST_WAIT_MS = 20;

/** What came of ending an id. `unavailable`: nobody knows. */
export type End =
  { readonly kind: 'ended' } | ({ readonly kind: 'saved' } & Pick<Held, 'record' | 'index'>) | Unavailable;

export class SessionSaver<T extends object> {
  readonly #engine: Engine<T>;
  readonly #holdings: Holdings<T>;

  constructor(engine: Engine<T>, holdings: Holdings<T>) {
    this.#engine = engine;
    this.#holdings = holdings;
  }

  /**
   * Stores the fields; never twice, even when an answer is lost.
   * @throws SessionError `conflict`, `session_destroyed`, `record_too_large`, `invalid_request`; what `rebase` throws.
   */
  async save(job: SaveJob): Promise<Saved> {
    const { clock } = this.#engine;
    const { timeoutMs } = this.#engine.options;
    const startedAt = clock.now();
    const nonces: string[] = [];
    let round = firstRound(job);
    for (let tries = 1; tries <= ROUNDS && clock.now() - startedAt < 2 * timeoutMs; tries += 1) {
      const record = this.compose(job.id, round);
      nonces.push(record.nonce);
      const outcome = await this.#engine.remote.write(
        { id: job.id, index: round.index },
        record,
        round.condition,
      );
      if (outcome.kind === 'stored') {
        return { kind: 'stored', held: this.#acknowledge(record, outcome, { startedAt, lost: round.lost }) };
      }
      if (outcome.kind === 'unavailable') {
        return { kind: 'unavailable', record, base: round.base, index: round.index, error: outcome.error };
      }
      if (outcome.kind === 'conflict' && nonces.some((nonce) => includesSave(outcome.record, nonce))) {
        return { kind: 'stored', held: this.#recognise(job, outcome) };
      }
      round = await this.#nextRound(job, round, { outcome, tries });
      if (outcome.kind === 'conflict' && isDone(round, outcome.record)) {
        return { kind: 'stored', held: this.#recognise(job, outcome) };
      }
    }
    const { base, index } = round;
    return { kind: 'unavailable', record: this.compose(job.id, round), base, index, error: tooOften() };
  }

  /** Puts a last version under an id, on top of which nobody can save, unless somebody has saved since `base`. */
  async end(base: SessionRecord, index: number | null): Promise<End> {
    const { id, version } = base;
    if (version >= LIMITS.version) return { kind: 'ended' };
    const empty = this.compose(id, { base, fields: NO_FIELDS, version: version + 1 });
    const last: SessionRecord = { ...empty, changed: null, cut: 0, isEnd: true };
    let ifVersion = version;
    for (let tries = 1; tries <= ROUNDS; tries += 1) {
      const outcome = await this.#engine.remote.write({ id, index }, last, { ifVersion });
      if (outcome.kind === 'unavailable') return outcome;
      // Where it is absent, gone or not ours, there is nothing to take along.
      if (outcome.kind !== 'conflict') return { kind: 'ended' };
      if (outcome.record.version > version) return { ...outcome, kind: 'saved' };
      // The nodes have lost that version, and have an older one.
      ifVersion = outcome.record.version;
    }
    return { kind: 'unavailable', error: tooOften() };
  }

  async #nextRound(
    job: SaveJob,
    round: Round,
    { outcome, tries }: { outcome: Exclude<WriteOutcome, { kind: 'stored' | 'unavailable' }>; tries: number },
  ): Promise<Round> {
    if (outcome.kind === 'gone') {
      this.#engine.memory.cache.markGone(job.id);
      throw new SessionError('session_destroyed');
    }
    if (outcome.kind === 'rejected') {
      throw new SessionError('invalid_response', 'The stored record is not one of ours.');
    }
    if (outcome.kind === 'absent') {
      if (round.base === null || round.condition === 'absent') {
        throw new SessionError('invalid_response', 'A new session cannot be missing.');
      }
      if (!job.canRestore()) throw new SessionError('session_destroyed', 'Its lifetime is over.');
      return { ...round, condition: 'absent', lost: 'absent' };
    }
    const { record: newer, index } = outcome;
    if (round.base !== null && newer.version < round.base.version) {
      const { fields, keys } = withForeign(round, newer);
      if (keys.length > 0) {
        this.#engine.emit({ type: 'conflict', version: newer.version, round: tries, keys });
      }
      return { ...round, fields, condition: { ifVersion: newer.version }, index, lost: 'older' };
    }
    const keys = conflictingKeys(job.base, job.fields, newer);
    this.#engine.emit({ type: 'conflict', version: newer.version, round: tries, keys });
    if (tries > EAGER_ROUNDS) await this.#waitALittle();
    const fields = await job.rebase(newer);
    return { ...atop(newer), own: fields, fields, index, lost: null };
  }

  /** The record that holds these fields after the base. */
  compose(id: string, { base, fields, version }: Pick<Round, 'base' | 'fields' | 'version'>): SessionRecord {
    if (version > LIMITS.version)
      throw new SessionError('invalid_request', 'The session has no version left.');
    const now = this.#engine.nowSeconds();
    const { options } = this.#engine;
    return {
      id,
      version,
      savedAt: now,
      startedAt: base?.startedAt ?? now,
      nonce: newNonce(options.random),
      log: nextLog(base),
      ...nextHistory(base, diffFields(fieldsOf(base), fields), { version, fields }),
      codec: options.codec.name,
      data: joinFields(fields),
    };
  }

  #acknowledge(
    record: SessionRecord,
    outcome: Extract<WriteOutcome, { kind: 'stored' }>,
    { startedAt, lost }: { startedAt: number; lost: Round['lost'] },
  ): Held {
    const { emit, clock } = this.#engine;
    const { version } = record;
    const { index: home, copies } = outcome;
    emit({ type: 'backup', version, home, copies, durationMs: clock.now() - startedAt });
    if (lost !== null) emit({ type: 'restore', version, reason: lost });
    return this.#holdings.stored(record, outcome);
  }

  /** The save had been applied, only its answer was lost; others may have saved on top of it. */
  #recognise(job: SaveJob, outcome: Extract<WriteOutcome, { kind: 'conflict' }>): Held {
    const wanted = { id: job.id, index: outcome.index, floor: 0 };
    return this.#holdings.accept(wanted, { ...outcome, isTouch: false });
  }

  #waitALittle(): Promise<void> {
    const { clock, random } = this.#engine.options;
    const share = (random(1)[0] ?? 0) / 256;
    return new Promise((resolve) => void clock.after(LONGEST_WAIT_MS * share, resolve));
  }
}

/** For when everybody else is quicker. */
export function tooOften(): SessionUnavailableError {
  return new SessionUnavailableError('bridge_unavailable', 'Other saves came first too often.');
}

function firstRound({ base, fields, index }: SaveJob): Round {
  const wanted = { own: fields, fields, index, lost: null };
  if (base === null) return { ...wanted, base, condition: 'absent', version: 1 };
  return { ...wanted, ...atop(base) };
}

/** Whether the record that came first says everything that was to be saved. */
function isDone({ base, fields }: Round, newer: SessionRecord): boolean {
  return base === newer && isUnchanged(diffFields(fieldsOf(newer), fields));
}

/**
 * The fields with what was saved on top of an older record meanwhile, except what this save changes itself.
 * `keys`: fields that both have changed.
 */
function withForeign(
  { base, own }: Round,
  older: SessionRecord,
): { readonly fields: Fields; readonly keys: readonly string[] } {
  if (base === null) return { fields: own, keys: [] };
  const { changes, tied } = foreignChanges(older, base);
  const mine = diffFields(fieldsOf(base), own);
  const overwritten = changedKeys(changes).filter((key) => mine.set.has(key) || mine.deleted.has(key));
  return { fields: applyChanges(applyChanges(own, changes), mine), keys: [...tied, ...overwritten] };
}

function atop(base: SessionRecord): Pick<Round, 'base' | 'condition' | 'version'> {
  return { base, condition: { ifVersion: base.version }, version: base.version + 1 };
}
