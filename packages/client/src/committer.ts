/** How one request's changes are stored, or carried by the browser when nobody can store them. */
import type { Browser } from './browser.ts';
import { carry, writeCarried, type Carried } from './carried.ts';
import { COOKIE_LIMIT } from './cookies.ts';
import { SessionError, type SessionUnavailableError } from './errors.ts';
import { diffFields, fieldsOf, isUnchanged, type Fields } from './fields.ts';
import { newIdentity } from './identity.ts';
import { Mover } from './mover.ts';
import type { Parts } from './parts.ts';
import type { SessionRecord } from './ports.ts';
import type { Identity } from './seal.ts';
import type { Standing } from './standing.ts';

/** Makes the fields to store on top of a record; asked again when another save came first. */
export type Draft = (base: SessionRecord | null, isConflict: boolean) => Promise<Fields>;

export class Committer<T extends object> {
  readonly #parts: Parts<T>;
  readonly #standing: Standing;
  readonly #browser: Browser;

  constructor(parts: Parts<T>, standing: Standing, browser: Browser) {
    this.#parts = parts;
    this.#standing = standing;
    this.#browser = browser;
  }

  /**
   * Stores the draft, and says so in the standing. Where no bridge can, the browser carries it.
   * @throws SessionUnavailableError it cannot be carried either, or must not be, because the answer has left.
   * @throws SessionError as SessionSaver.save().
   */
  async commit(draft: Draft, { mayCarry }: { readonly mayCarry: boolean }): Promise<void> {
    const standing = this.#standing;
    const outage = await this.bringHome();
    if (outage !== null) return this.#carryOn(draft, outage);
    const base = standing.record;
    const fields = await draft(base, false);
    if (isUnchanged(diffFields(fieldsOf(base), fields))) return;
    if (standing.identity === null) {
      standing.identity = await newIdentity(this.#parts.engine);
      standing.isSealNew = true;
    }
    const { identity } = standing;
    const saved = await this.#parts.saver.save({
      id: identity.id,
      index: standing.index,
      base,
      fields,
      rebase: (newer) => draft(newer, true),
      canRestore: () => standing.held === null || this.#parts.holdings.isLiving(standing.held),
    });
    if (saved.kind === 'stored') return standing.setHeld(saved.held);
    if (!mayCarry) throw saved.error;
    const changes = diffFields(fieldsOf(saved.base), fieldsOf(saved.record));
    const carried = carry(saved.record, saved.base, changes);
    return this.#carry(carried, { identity, index: saved.index, outage: saved.error });
  }

  /**
   * Stores the draft under an id that nobody knows; the old one, if there is one, is ended. What others save
   * under that until then is taken along.
   * @throws SessionUnavailableError nothing has changed, or the new session is stored and the old one is not
   *   yet known to be ended.
   * @throws what the draft throws; nothing has changed.
   */
  async moveToNewId(draft: Draft): Promise<void> {
    const standing = this.#standing;
    const { engine } = this.#parts;
    const { identity: old, held, index } = standing;
    if (old === null) {
      // There is no id to end: this is a first save, which the browser may carry.
      await this.commit(draft, { mayCarry: true });
      return standing.writeDueCookies(engine, this.#browser);
    }
    const identity = await newIdentity(engine);
    const moved = await new Mover(this.#parts).move(held, identity.id, draft);
    const ref = { id: old.id, index };
    engine.memory.cache.markGone(old.id);
    standing.identity = identity;
    standing.isSealNew = true;
    standing.setHeld(moved.held);
    await standing.writeDueCookies(engine, this.#browser);
    if (moved.outage === null) return engine.remote.destroy(ref);
    engine.remote.destroyLater(ref);
    throw moved.outage;
  }

  /** Tries to store what the browser carries; gives the outage that keeps it there, or null. */
  async bringHome(): Promise<SessionUnavailableError | null> {
    const { carrying } = this.#standing;
    if (carrying === null) return null;
    const loaded = await this.#parts.homecoming.bringHome(carrying.carried, { index: carrying.index });
    if (loaded.kind === 'unavailable') return loaded.error;
    if (loaded.kind === 'rejected')
      throw new SessionError('invalid_response', 'The stored record is not ours.');
    if (loaded.kind !== 'found') throw new SessionError('session_destroyed');
    this.#standing.setHeld(loaded.held, loaded.source);
    return null;
  }

  /** One more save on top of those that are carried already. */
  async #carryOn(draft: Draft, outage: SessionUnavailableError): Promise<void> {
    const { carrying, identity } = this.#standing;
    if (carrying === null || identity === null) throw outage;
    const { carried, index } = carrying;
    const fields = await draft(carried.record, false);
    const version = carried.record.version + 1;
    const record = this.#parts.saver.compose(identity.id, { base: carried.record, fields, version });
    const changes = diffFields(fieldsOf(carried.record), fields);
    return this.#carry(carry(record, carried, changes), { identity, index, outage });
  }

  async #carry(
    carried: Carried,
    {
      identity,
      index,
      outage,
    }: { identity: Identity; index: number | null; outage: SessionUnavailableError },
  ): Promise<void> {
    const { options, sealer, emit, nowSeconds } = this.#parts.engine;
    const { record } = carried;
    // A seal is longer than its text: what is too long already need not be sealed.
    if (options.fallback === 'none' || record.data.length > COOKIE_LIMIT) throw outage;
    const left = record.startedAt + options.absoluteTtl - nowSeconds();
    const ttl = Math.max(1, Math.min(options.ttl, left));
    const sealed = await sealer.seal('data', writeCarried(carried, options.app), ttl);
    const bytes = this.#browser.sizeOf({ index, floor: record.version, sealedData: sealed }, identity.seal);
    if (bytes === null) throw outage;
    this.#standing.setCarrying({ carried, sealed, index });
    emit({ type: 'fallback', version: record.version, bytes });
  }
}
