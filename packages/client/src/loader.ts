/** How a session is found: in this instance's memory, else by one conditional read. */
import { beginBackground } from './background.ts';
import type { Held } from './cache.ts';
import type { Engine } from './engine.ts';
import type { Holdings, Wanted } from './holdings.ts';
import type { WaitUntil } from './ports.ts';
import { Recovery, type Loaded } from './recovery.ts';

/** A read that is under way. */
interface Flight {
  readonly startedAt: number;
  /** Whether its request has not left yet. */
  isBoarding: boolean;
  readonly result: Promise<Loaded>;
}

export class SessionLoader<T extends object> {
  readonly #engine: Engine<T>;
  readonly #holdings: Holdings<T>;
  readonly #recovery: Recovery<T>;
  readonly #flights = new Map<string, Flight>();

  constructor(engine: Engine<T>, holdings: Holdings<T>) {
    this.#engine = engine;
    this.#holdings = holdings;
    this.#recovery = new Recovery(engine, holdings);
  }

  /** The session from memory, or confirmed by a read that parallel callers share. */
  async load(wanted: Wanted, { isFresh }: { readonly isFresh: boolean }): Promise<Loaded> {
    const { cache } = this.#engine.memory;
    await this.#untilWritten(wanted.id);
    const held = isFresh ? null : this.#holdings.trusted(wanted);
    if (held !== null) return { kind: 'found', held, source: 'cache', isStale: false };
    if (cache.isGone(wanted.id)) return { kind: 'gone' };
    return this.#share(wanted, isFresh);
  }

  /** Renews the idle lifetime of a session that was served from memory, when it is due. */
  touchIfDue(held: Held, waitUntil: WaitUntil | null): void {
    const { clock } = this.#engine;
    const { touchAfterMs } = this.#engine.options;
    const now = clock.now();
    if (now - held.touchedAt <= touchAfterMs) return;
    const ref = { id: held.record.id, index: held.index };
    const follow = beginBackground(waitUntil);
    if (follow === null) return this.#engine.remote.touchLater(ref, () => (held.touchedAt = clock.now()));
    const before = held.touchedAt;
    // Already now, so that parallel requests do not all touch; taken back when it fails.
    held.touchedAt = now;
    const touch = this.#engine.remote.touch(ref).then((isDone) => {
      if (!isDone) held.touchedAt = before;
    });
    follow(touch);
  }

  /** Waits for a write of this instance, but no longer than one can take: its visit may have died with it. */
  async #untilWritten(id: string): Promise<void> {
    const { clock } = this.#engine;
    const { timeoutMs } = this.#engine.options;
    const writing = this.#engine.memory.cache.writing(id, clock.now());
    if (writing === null) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(timeoutMs, resolve);
      // It never rejects.
      void writing.then(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Joins a read that is under way when its answer cannot be older than the caller accepts. */
  #share(wanted: Wanted, isFresh: boolean): Promise<Loaded> {
    const { clock } = this.#engine;
    const { maxStaleMs, isWorkShared } = this.#engine.options;
    const key = `${wanted.id}.${wanted.floor}`;
    const known = this.#flights.get(key);
    const now = clock.now();
    const isJoinable = isWorkShared && !isFresh;
    // What is boarding has begun in this very turn, so the same visit waits for it.
    if (known?.isBoarding === true) return known.result;
    if (known !== undefined && isJoinable && now - known.startedAt < maxStaleMs)
      return this.#join(known, wanted);
    const result = this.#board(wanted, now, () => (flight.isBoarding = false));
    const flight: Flight = { startedAt: now, isBoarding: true, result };
    this.#flights.set(key, flight);
    const land = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    void result.then(land, land);
    return result;
  }

  /** "No session" is never a little old: since that read left, another instance may have restored the session. */
  async #join(flight: Flight, wanted: Wanted): Promise<Loaded> {
    const loaded = await flight.result;
    return loaded.kind === 'absent' ? this.#share(wanted, false) : loaded;
  }

  async #board(wanted: Wanted, sentAt: number, leave: () => void): Promise<Loaded> {
    // One turn for others to join before the request leaves.
    await Promise.resolve();
    leave();
    return this.#read(wanted, sentAt);
  }

  async #read(wanted: Wanted, sentAt: number): Promise<Loaded> {
    const { memory, remote, options } = this.#engine;
    const held = this.#holdings.living(wanted.id);
    const isTouch = held === null || sentAt - held.touchedAt > options.touchAfterMs;
    const floor = Math.max(wanted.floor, held?.record.version ?? 0);
    const ref = { id: wanted.id, index: knownHome(wanted, held) };
    const outcome = await remote.read(ref, { held: held?.record.version ?? null, floor, isTouch });
    switch (outcome.kind) {
      case 'found': {
        const { version } = outcome.record;
        if (version < floor) return this.#recovery.recover(wanted, outcome.record);
        const accepted = this.#holdings.accept(wanted, { ...outcome, sentAt, isTouch });
        return { kind: 'found', held: accepted, source: 'bridge', isStale: false };
      }
      case 'unchanged': {
        // No answer gets here that says so to somebody who holds nothing.
        if (held === null) return { kind: 'rejected' };
        if (held.record.version < wanted.floor) return this.#recovery.rejectBelowFloor(held.record);
        const confirmed = this.#holdings.confirm(held, { index: outcome.index, sentAt, isTouch });
        return { kind: 'found', held: confirmed, source: 'cache', isStale: false };
      }
      case 'absent':
        return this.#recovery.recover(wanted, null);
      case 'gone':
        memory.cache.markGone(wanted.id);
        return outcome;
      case 'rejected':
        return outcome;
      case 'unavailable':
        if (held === null || held.record.version < wanted.floor) return outcome;
        return { kind: 'found', held, source: 'cache', isStale: true };
    }
  }
}

/** The home that was heard of last. */
function knownHome(wanted: Wanted, held: Held | null): number | null {
  if (held === null) return wanted.index;
  return held.record.version > wanted.floor ? held.index : (wanted.index ?? held.index);
}
