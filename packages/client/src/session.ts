/** The session object: a plain object of the app's data with methods that no enumeration shows. */
import { FORBIDDEN_KEYS } from './codec.ts';

/** Where a session stands. */
export interface SessionMeta {
  /**
   * `<session id>.<node index>`, without an index while no node holds it, null while there is no id. It gives
   * nobody access (that takes the seal), but it names a person's session: keep it out of pages and logs.
   */
  readonly ref: string | null;
  /** The number of saves so far; 0 while nothing has been saved. */
  readonly version: number;
  /** The index of the home node; null while no node holds the session. */
  readonly home: number | null;
  /** Whether nothing has been stored for this session yet. */
  readonly isNew: boolean;
  /** Where the data came from: `cookie` while it is only in the browser because no bridge could be reached. */
  readonly source: 'new' | 'cache' | 'bridge' | 'cookie';
  /** Whether the data could not be confirmed because of an outage. */
  readonly stale: boolean;
  /** How many nodes held the last save when it was acknowledged; null when this instance did not see it. */
  readonly copies: number | null;
}

/** What every session can do besides holding data. */
export interface SessionControls<T extends object> {
  /**
   * Stores what changed, nested changes too, and sets the cookies. Resolves when the home node has
   * acknowledged the write; sends nothing when nothing changed.
   * @throws SessionUnavailableError nobody could store it and it did not fit the cookie.
   * @throws SessionError `session_destroyed`, `conflict`, `data_not_serializable`, `record_too_large`,
   *   `read_only`, `cookies_sent`.
   */
  save(): Promise<void>;
  /**
   * Ends the session everywhere: its cookies are cleared and no save can bring it back.
   * @throws SessionUnavailableError the cookies are cleared, but no bridge could be told yet.
   */
  destroy(): Promise<void>;
  /**
   * Gives the session a new id and ends the old one; unsaved changes are saved with it. For every login and
   * every change of rights. The absolute lifetime begins anew.
   * @throws SessionUnavailableError as save() and destroy().
   */
  regenerate(): Promise<void>;
  /** Reads the session again, confirmed, and drops unsaved changes. */
  reload(): Promise<void>;
  /**
   * Changes the data by a function and saves it. When another save comes first, the function runs again on
   * the newer data, so that a counter counts every call. It changes what it is given, not the session: to call
   * one of the session's methods in it is a TypeError, and after an `await` would wait for ever.
   * @returns what the function returned in the run that was stored.
   */
  update<R>(change: (data: Partial<T>) => R | Promise<R>): Promise<R>;
  readonly meta: SessionMeta;
}

/** The app's data, each field possibly absent, and the {@link SessionControls}. */
export type Session<T extends object> = Partial<T> & SessionControls<T>;

/** Names that data cannot have. */
export const RESERVED_KEYS: ReadonlySet<string> = new Set([
  'save',
  'destroy',
  'regenerate',
  'reload',
  'update',
  'meta',
  ...FORBIDDEN_KEYS,
]);

/** Makes `data`, which nobody else may hold, a session. */
export function createSession<T extends object>(
  data: Record<string, unknown>,
  controls: SessionControls<T>,
): Session<T> {
  Object.defineProperties(data, {
    save: { value: () => controls.save() },
    destroy: { value: () => controls.destroy() },
    regenerate: { value: () => controls.regenerate() },
    reload: { value: () => controls.reload() },
    // The type of the function's result is lost in a property map and restored by Session<T>.
    update: { value: (change: (data: Partial<T>) => unknown) => controls.update(change) },
    meta: { get: () => controls.meta },
  });
  // The controls have just been defined, and the data is what the app stored under its own type T.
  return data as Session<T>;
}

/** Gives the session object other data; references to the object stay good. */
export function replaceData(session: object, data: Readonly<Record<string, unknown>>): void {
  // Own enumerable properties of the session are exactly its data.
  const target = session as Record<string, unknown>;
  for (const key of Object.keys(target)) delete target[key];
  for (const [key, value] of Object.entries(data)) target[key] = value;
}
