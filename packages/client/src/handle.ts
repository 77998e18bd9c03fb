/** One request's use of a session: what its methods do. */
import type { Browser } from './browser.ts';
import { Committer, type Draft } from './committer.ts';
import { resolveConflict } from './conflict.ts';
import { SessionError, SessionUnavailableError } from './errors.ts';
import {
  applyChanges,
  decodeData,
  diffFields,
  fieldsOf,
  isUnchanged,
  joinFields,
  readFields,
  showFields,
  type Fields,
} from './fields.ts';
import type { Parts } from './parts.ts';
import type { SessionRecord, WaitUntil } from './ports.ts';
import {
  createSession,
  replaceData,
  RESERVED_KEYS,
  type Session,
  type SessionControls,
  type SessionMeta,
} from './session.ts';
import type { Standing } from './standing.ts';

export interface Use {
  readonly browser: Browser;
  readonly standing: Standing;
  readonly waitUntil: WaitUntil | null;
}

/** What a save wants: the fields, and what they were made from. */
interface Mine {
  readonly origin: SessionRecord | null;
  readonly fields: Fields;
}

/**
 * How a save goes with the answer: its cookies can be set, or they could have been and the answer has left (`late`), or
 * nobody waits for it.
 */
type Way = 'open' | 'late' | 'background';

const LATE =
  'a session was saved after its answer had begun. It is stored, but the cookie still names the version before: other ' +
  'instances may show that one for as long as maxStale.';

/** A save with all its rounds takes less than so many deadlines. */
const DEADLINES = 4;

export class SessionHandle<T extends object> implements SessionControls<T> {
  /** What the app gets. */
  readonly session: Session<T>;
  readonly #parts: Parts<T>;
  readonly #use: Use;
  readonly #committer: Committer<T>;
  #isEnded = false;
  /** Calls of one session follow each other, whether the app awaits them or not. */
  #queue: Promise<unknown> = Promise.resolve();
  #queued = 0;
  /** Whether a function of update() is being called. */
  #isChanging = false;

  constructor(parts: Parts<T>, use: Use) {
    this.#parts = parts;
    this.#use = use;
    this.#committer = new Committer(parts, use.standing, use.browser);
    const { record } = use.standing;
    const data = record === null ? {} : decodeData(record.data, parts.engine.options.codec);
    this.session = createSession<T>(data, this);
  }

  get meta(): SessionMeta {
    return this.#use.standing.meta;
  }

  async save(): Promise<void> {
    const { waitUntil, standing } = this.#use;
    // Now, not when its turn comes: a save before it may have brought in fields that others added.
    const mine = { origin: standing.record, fields: this.#read() };
    const { clock, options, memory } = this.#parts.engine;
    const { backup, timeoutMs } = options;
    // A first save is awaited: until it is stored, another instance could only say that it is absent. And so is
    // one behind other calls, which may leave the session in the cookie.
    const { held, carrying } = standing;
    const mayLeave = held !== null && carrying === null && this.#queued === 0;
    if (backup === 'await' || waitUntil === null || !mayLeave) {
      return this.#enqueue(() => this.#save(mine, this.#isLate ? 'late' : 'open'));
    }
    const work = this.#enqueue(() => this.#save(mine, 'background')).catch((cause: unknown) => {
      const code = cause instanceof SessionError ? cause.code : 'internal';
      this.#parts.engine.emit({ type: 'unavailable', operation: 'write', code, cause });
    });
    memory.cache.trackWrite(held.record.id, work, { now: clock.now(), forMs: DEADLINES * timeoutMs });
    waitUntil(work);
  }

  update<R>(change: (data: Partial<T>) => R | Promise<R>): Promise<R> {
    return this.#enqueue(async () => {
      this.#assertOpen();
      const way = this.#isLate ? 'late' : 'open';
      if (way === 'open') this.#use.browser.assertWritable();
      const mine = this.#read();
      const unsaved = diffFields(fieldsOf(this.#use.standing.record), mine);
      const results: R[] = [];
      const draft: Draft = async (base) => {
        const { codec } = this.#parts.engine.options;
        // The app's own type, each field possibly absent.
        const data = decodeData(joinFields(applyChanges(fieldsOf(base), unsaved)), codec) as Partial<T>;
        results.push(await this.#callAlone(() => change(data)));
        return readFields(data, codec, RESERVED_KEYS);
      };
      await this.#commit(draft, mine, way);
      // The draft has run once at least, and its last run is what was stored.
      return results.at(-1) as R;
    });
  }

  destroy(): Promise<void> {
    return this.#enqueue(async () => {
      const { browser, standing } = this.#use;
      if (this.#isEnded) return;
      browser.assertWritable();
      browser.clear();
      const { identity, index } = standing;
      this.#end();
      if (identity === null) return;
      this.#parts.engine.memory.cache.markGone(identity.id);
      await this.#parts.engine.remote.destroy({ id: identity.id, index });
    });
  }

  regenerate(): Promise<void> {
    return this.#enqueue(async () => {
      this.#assertOpen();
      this.#use.browser.assertWritable();
      // Data of a session that has ended meanwhile is not taken along, only what is new.
      if (this.#use.standing.record !== null) await this.#load({ keepsChanges: true });
      const fields = this.#read();
      if (fields.size > 0 || this.#use.standing.record !== null) await this.#committer.moveToNewId(fields);
    });
  }

  reload(): Promise<void> {
    return this.#enqueue(() => this.#load({ keepsChanges: false }));
  }

  /** Confirms the session, and keeps unsaved changes. */
  confirm(): Promise<void> {
    return this.#enqueue(() => this.#load({ keepsChanges: true }));
  }

  /** Whether cookies are due and can be set now. */
  get canWriteDueCookies(): boolean {
    const { standing, browser } = this.#use;
    return standing.hasDueCookies(this.#parts.engine, browser) && browser.canWrite;
  }

  /** Sets the cookies that are due, where cookies can be set. */
  async writeDueCookies(): Promise<void> {
    const { standing, browser } = this.#use;
    if (this.#isEnded || !browser.canWrite) return;
    await standing.writeDueCookies(this.#parts.engine, browser);
  }

  /** Whether the answer has left, and the browser can name the session, which is stored all the same. */
  get #isLate(): boolean {
    const { standing, browser } = this.#use;
    return standing.held !== null && !standing.isSealNew && standing.carrying === null && browser.isTooLate;
  }

  async #save({ origin, fields }: Mine, way: Way): Promise<void> {
    const changes = diffFields(fieldsOf(origin), fields);
    // Also after the session has ended: who has changed nothing need not hear of it.
    if (isUnchanged(changes)) return way === 'open' ? this.writeDueCookies() : undefined;
    this.#assertOpen();
    if (way === 'open') this.#use.browser.assertWritable();
    const { onConflict: policy, codec } = this.#parts.engine.options;
    const draft: Draft = async (base, isConflict) => {
      if (base === origin) return fields;
      if (base === null || !isConflict) return applyChanges(fieldsOf(base), changes);
      return resolveConflict({ base: origin, mine: fields, policy, codec }, base);
    };
    await this.#commit(draft, fields, way);
  }

  /** Stores the draft, shows the result in the session object and in the cookies. */
  async #commit(draft: Draft, mine: Fields, way: Way): Promise<void> {
    const before = this.#use.standing.record;
    try {
      await this.#committer.commit(draft, { mayCarry: way === 'open' });
    } catch (error) {
      if (error instanceof SessionError && error.code === 'session_destroyed') this.#end();
      throw error;
    }
    this.#show({ mine, now: fieldsOf(this.#use.standing.record) });
    if (way === 'open') await this.#use.standing.writeDueCookies(this.#parts.engine, this.#use.browser);
    if (way === 'late' && this.#use.standing.record !== before) this.#parts.engine.warnOnce('late', LATE);
  }

  /** Reads the session again, confirmed. */
  async #load({ keepsChanges }: { readonly keepsChanges: boolean }): Promise<void> {
    this.#assertOpen();
    const { standing } = this.#use;
    const mine = keepsChanges ? this.#read() : null;
    const before = fieldsOf(standing.record);
    const outage = await this.#committer.bringHome();
    if (outage !== null) throw outage;
    if (standing.identity !== null && standing.held !== null) {
      const { id } = standing.identity;
      const wanted = { id, index: standing.index, floor: standing.held.record.version };
      const loaded = await this.#parts.loader.load(wanted, { isFresh: true });
      if (loaded.kind === 'unavailable') throw loaded.error;
      if (loaded.kind !== 'found') standing.reset();
      else if (loaded.isStale) throw new SessionUnavailableError('bridge_unavailable');
      else standing.setHeld(loaded.held, loaded.source);
    }
    const stored = fieldsOf(standing.record);
    if (mine !== null) this.#show({ mine, now: applyChanges(stored, diffFields(before, mine)) });
    else replaceData(this.session, decodeData(joinFields(stored), this.#parts.engine.options.codec));
    await this.writeDueCookies();
  }

  #show(fields: { readonly mine: Fields; readonly now: Fields }): void {
    showFields(this.session, fields, this.#parts.engine.options.codec);
  }

  #read(): Fields {
    return readFields(this.session, this.#parts.engine.options.codec, RESERVED_KEYS);
  }

  #end(): void {
    this.#isEnded = true;
    this.#use.standing.reset();
    replaceData(this.session, {});
  }

  #assertOpen(): void {
    if (this.#isEnded) throw new SessionError('session_destroyed');
  }

  /** Whatever the function calls of this session at once, before it awaits anything, would wait for itself. */
  #callAlone<R>(call: () => R): R {
    this.#isChanging = true;
    try {
      return call();
    } finally {
      this.#isChanging = false;
    }
  }

  async #enqueue<R>(work: () => Promise<R>): Promise<R> {
    if (this.#isChanging)
      throw new TypeError('The function of update() changes its data, and calls nothing.');
    this.#queued += 1;
    const result = this.#queue.then(work).finally(() => (this.#queued -= 1));
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
