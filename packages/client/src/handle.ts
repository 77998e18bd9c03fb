/** One request's use of a session: what its methods do. */
import { beginBackground } from './background.ts';
import type { Browser } from './browser.ts';
import { Committer, type Draft } from './committer.ts';
import { resolveConflict } from './conflict.ts';
import { Edits, type Taken } from './edits.ts';
import { SessionError, SessionUnavailableError } from './errors.ts';
import {
  applyChanges,
  decodeData,
  diffFields,
  fieldsOf,
  isUnchanged,
  joinFields,
  readFields,
  type Changes,
} from './fields.ts';
import type { Parts } from './parts.ts';
import type { SessionRecord, WaitUntil } from './ports.ts';
import {
  createSession,
  RESERVED_KEYS,
  type Session,
  type SessionControls,
  type SessionMeta,
} from './session.ts';
import type { Standing } from './standing.ts';
import { Turns } from './turns.ts';

export interface Use {
  readonly browser: Browser;
  readonly standing: Standing;
  readonly waitUntil: WaitUntil | null;
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
  readonly #edits: Edits;
  readonly #turns: Turns = new Turns();
  #isEnded = false;

  constructor(parts: Parts<T>, use: Use) {
    this.#parts = parts;
    this.#use = use;
    this.#committer = new Committer(parts, use.standing, use.browser);
    const { record } = use.standing;
    const { codec } = parts.engine.options;
    const data = record === null ? {} : decodeData(record.data, codec);
    this.session = createSession<T>(data, this);
    this.#edits = new Edits(this.session, codec, () => fieldsOf(record));
  }

  get meta(): SessionMeta {
    return this.#use.standing.meta;
  }

  async save(): Promise<void> {
    const { waitUntil, standing } = this.#use;
    // Now, not when its turn comes: the app goes on, and may change it again.
    const taken = this.#take();
    const { clock, options, memory } = this.#parts.engine;
    const { backup, timeoutMs } = options;
    // A first save is awaited: until it is stored, another instance could only say that it is absent. And so is
    // one behind other calls, which may leave the session in the cookie.
    const { held, carrying } = standing;
    const mayLeave = backup === 'after' && held !== null && carrying === null && !this.#turns.areTaken;
    const follow = mayLeave ? beginBackground(waitUntil) : null;
    if (held === null || follow === null)
      return this.#turns.take(() => this.#save(taken, this.#isLate ? 'late' : 'open'));
    const work = this.#turns
      .take(() => this.#save(taken, 'background'))
      .catch((cause: unknown) => {
        const code = cause instanceof SessionError ? cause.code : 'internal';
        this.#parts.engine.emit({ type: 'unavailable', operation: 'write', code, cause });
      });
    memory.cache.trackWrite(held.record.id, work, { now: clock.now(), forMs: DEADLINES * timeoutMs });
    follow(work);
  }

  async update<R>(change: (data: Partial<T>) => R | Promise<R>): Promise<R> {
    const taken = this.#take();
    return this.#turns.take(() =>
      this.#settling(taken, async () => {
        this.#assertOpen();
        const way = this.#isLate ? 'late' : 'open';
        if (way === 'open') this.#use.browser.assertWritable();
        const changes = this.#edits.due(taken);
        const results: R[] = [];
        const draft: Draft = async (base) => {
          const { codec } = this.#parts.engine.options;
          // The app's own type, each field possibly absent.
          const data = decodeData(joinFields(applyChanges(fieldsOf(base), changes)), codec) as Partial<T>;
          results.push(await this.#turns.change(() => change(data)));
          return readFields(data, codec, RESERVED_KEYS);
        };
        await this.#commit(draft, taken, way);
        // The draft has run once at least, and its last run is what was stored.
        return results.at(-1) as R;
      }),
    );
  }

  destroy(): Promise<void> {
    return this.#turns.take(async () => {
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

  async regenerate(): Promise<void> {
    const taken = this.#take();
    return this.#turns.take(() =>
      this.#settling(taken, async () => {
        this.#assertOpen();
        this.#use.browser.assertWritable();
        const { standing } = this.#use;
        const { identity: old, index } = standing;
        // Data of a session that has ended meanwhile is not taken along, only what is new.
        if (standing.record !== null) await this.#load({ keepsChanges: true });
        const hasVanished = standing.identity === null;
        const changes = this.#edits.due(taken);
        if (standing.record !== null || applyChanges(fieldsOf(null), changes).size > 0) {
          await this.#committer.moveToNewId(this.#draftOf(changes));
          this.#edits.settle(taken, { isStored: true });
          this.#edits.show(fieldsOf(standing.record));
        }
        // This instance may know of its end before the nodes do.
        if (old !== null && hasVanished) await this.#parts.engine.remote.destroy({ id: old.id, index });
      }),
    );
  }

  reload(): Promise<void> {
    return this.#turns.take(() => this.#load({ keepsChanges: false }));
  }

  /** Confirms the session, and keeps unsaved changes. */
  confirm(): Promise<void> {
    return this.#turns.take(() => this.#load({ keepsChanges: true }));
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

  #save(taken: Taken, way: Way): Promise<void> {
    return this.#settling(taken, async () => {
      const changes = this.#edits.due(taken);
      const { record } = this.#use.standing;
      // Also after the session has ended: who has changed nothing need not hear of it.
      const leavesAsIs = (): boolean =>
        isUnchanged(diffFields(fieldsOf(record), applyChanges(fieldsOf(record), changes)));
      if (isUnchanged(changes) || leavesAsIs()) return way === 'open' ? this.writeDueCookies() : undefined;
      this.#assertOpen();
      if (way === 'open') this.#use.browser.assertWritable();
      await this.#commit(this.#draftOf(changes), taken, way);
    });
  }

  /** These changes on top of what is stored; the app has a say when somebody else has saved first. */
  #draftOf(changes: Changes): Draft {
    const { onConflict: policy, codec } = this.#parts.engine.options;
    let start: SessionRecord | null = null;
    return async (base, isConflict) => {
      if (!isConflict || base === null) {
        start = base;
        return applyChanges(fieldsOf(base), changes);
      }
      if (isUnchanged(changes)) return fieldsOf(base);
      const mine = applyChanges(fieldsOf(start), changes);
      return resolveConflict({ base: start, mine, policy, codec }, base);
    };
  }

  /** Stores the draft, shows the result in the session object and in the cookies. */
  async #commit(draft: Draft, taken: Taken, way: Way): Promise<void> {
    const { standing } = this.#use;
    const before = standing.record;
    try {
      await this.#committer.commit(draft, { mayCarry: way === 'open' });
    } catch (error) {
      if (error instanceof SessionError && error.code === 'session_destroyed') this.#end();
      throw error;
    }
    this.#edits.settle(taken, { isStored: true });
    this.#edits.show(fieldsOf(standing.record));
    if (way === 'open') await standing.writeDueCookies(this.#parts.engine, this.#use.browser);
    if (way === 'late' && standing.record !== before) this.#parts.engine.warnOnce('late', LATE);
  }

  /** Reads the session again, confirmed. */
  async #load({ keepsChanges }: { readonly keepsChanges: boolean }): Promise<void> {
    this.#assertOpen();
    const { standing } = this.#use;
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
    if (keepsChanges) this.#edits.show(stored);
    else this.#edits.replace(stored);
    await this.writeDueCookies();
  }

  #take(): Taken {
    this.#turns.assertNotChanging();
    return this.#edits.take();
  }

  /** What a save that fails has taken is for the next one. */
  async #settling<R>(taken: Taken, work: () => Promise<R>): Promise<R> {
    let isStored = false;
    try {
      const result = await work();
      isStored = true;
      return result;
    } finally {
      this.#edits.settle(taken, { isStored });
    }
  }

  #end(): void {
    this.#isEnded = true;
    this.#use.standing.reset();
    this.#edits.clear();
  }

  #assertOpen(): void {
    if (this.#isEnded) throw new SessionError('session_destroyed');
  }
}
