/** Which session belongs to which request of Next.js: one object for each, however often it is asked for. */
import type { CookieJar } from './cookies.ts';
import type { LoadOptions, SessionManager } from './manager.ts';
import { PagesJar, StoreJar } from './next-jars.ts';
import {
  isControlFlow,
  type CookieStore,
  type NextPlatform,
  type PagesRequest,
  type PagesResponse,
  type RequestHeaders,
} from './next-platform.ts';
import { readOnlyView } from './next-view.ts';
import type { WaitUntil } from './ports.ts';
import { WrappedCalls } from './wrapped-calls.ts';
import type { Session } from './session.ts';

export interface VisitOptions {
  readonly jar: CookieJar;
  /** Whether the session can only be looked at. */
  readonly isReadOnly?: boolean;
  /** Asked when the session is to be loaded. */
  readonly waitUntil?: () => WaitUntil | null;
  /** Called when it has been loaded, before anybody gets it. */
  readonly onLoad?: () => void;
}

/** One request's use of its session, which is loaded when somebody asks for it. */
export class Visit<T extends object> {
  readonly #manager: SessionManager<T>;
  readonly #options: VisitOptions;
  #session: Promise<Session<T>> | null = null;

  constructor(manager: SessionManager<T>, options: VisitOptions) {
    this.#manager = manager;
    this.#options = options;
  }

  /** @throws SessionUnavailableError as SessionManager.getSession(). */
  async session({ fresh = false }: LoadOptions = {}): Promise<Session<T>> {
    const known = this.#session;
    if (known === null) return this.#load(fresh);
    const session = await known;
    if (fresh) await (this.#options.isReadOnly === true ? session.reload() : this.#manager.confirm(session));
    return session;
  }

  /** Saves the session, if anybody has asked for it. */
  async commit(): Promise<void> {
    if (this.#session !== null) await (await this.#session).save();
  }

  #load(fresh: boolean): Promise<Session<T>> {
    const { jar, isReadOnly = false, waitUntil, onLoad } = this.#options;
    const background = waitUntil?.() ?? null;
    const loaded = this.#manager.load(jar, {
      fresh,
      ...(background === null ? {} : { waitUntil: background }),
    });
    const session = loaded.then((each) => {
      onLoad?.();
      return isReadOnly ? readOnlyView(each) : each;
    });
    this.#session = session;
    // After an outage the same request may try again.
    session.catch(() => (this.#session = null));
    return session;
  }
}

/** A visit whose cookies are Next.js's cookie store. */
export interface StoreVisit<T extends object> {
  readonly visit: Visit<T>;
  readonly jar: StoreJar;
  /** Of wrapped functions, which save, and see to the background work. */
  readonly calls: WrappedCalls;
  readonly background: Promise<unknown>[];
}

/** All visits of one createSessions(). */
export class Visits<T extends object> {
  readonly #manager: () => SessionManager<T>;
  readonly #platform: NextPlatform;
  /** Cookie stores and Pages Router requests are each one object for one request. */
  readonly #stores = new WeakMap<CookieStore, StoreVisit<T>>();
  readonly #others = new WeakMap<object, Visit<T>>();

  /** The manager is made when the first session is asked for: `next build` loads modules without secrets. */
  constructor(manager: () => SessionManager<T>, platform: NextPlatform) {
    this.#manager = manager;
    this.#platform = platform;
  }

  /** The session of the request that is being handled; `request` serves where Next.js does not know it. */
  async getSession(request: Request | null, options: LoadOptions): Promise<Session<T>> {
    const store = await this.findStore(request);
    // There is a request wherever there is no store.
    const key = store ?? (request as Request);
    const begun = this.#others.get(key);
    if (begun !== undefined) return begun.session(options);
    if (store === null) return this.#manager().getSession(request as Request, options);
    return (await this.enter(store)).visit.session(options);
  }

  async getPagesSession(
    request: PagesRequest,
    response: PagesResponse,
    options: LoadOptions,
  ): Promise<Session<T>> {
    const begun = this.#others.get(request);
    return (begun ?? this.begin(request, { jar: new PagesJar(request, response) })).session(options);
  }

  /**
   * The request's cookies. Nothing comes before this, no clock and no randomness: a prerender ends here.
   * @returns null outside of the App Router and of proxy.ts, where the request must do.
   */
  async findStore(request: Request | null): Promise<CookieStore | null> {
    try {
      return await this.#platform.cookies();
    } catch (error) {
      if (request === null || isControlFlow(error)) throw error;
      return null;
    }
  }

  /** The visit of the request with these cookies. */
  async enter(store: CookieStore): Promise<StoreVisit<T>> {
    const known = this.#stores.get(store);
    if (known !== undefined) return known;
    const headers = await this.#platform.headers();
    // Another part of the page may have been first.
    return this.#stores.get(store) ?? this.#beginStoreVisit(store, headers);
  }

  #beginStoreVisit(store: CookieStore, headers: RequestHeaders): StoreVisit<T> {
    const jar = new StoreJar(store, headers);
    const background: Promise<unknown>[] = [];
    const collect: WaitUntil = (work) => void background.push(work);
    const canWait = (): boolean => entered.calls.areRunning && this.#platform.after !== null;
    const waitUntil = (): WaitUntil | null => (canWait() ? collect : null);
    const visit = new Visit(this.#manager(), { jar, isReadOnly: jar.isReadOnly, waitUntil });
    const entered: StoreVisit<T> = { visit, jar, calls: new WrappedCalls(), background };
    this.#stores.set(store, entered);
    return entered;
  }

  /** Begins the visit of a request that has another jar. */
  begin(key: object, options: VisitOptions): Visit<T> {
    const visit = new Visit(this.#manager(), options);
    this.#others.set(key, visit);
    return visit;
  }
}
