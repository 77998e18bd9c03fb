/** From a request's cookies to its session: three outcomes, found, certainly absent, cannot know. */
import { Browser } from './browser.ts';
import type { Held } from './cache.ts';
import { readCarried, type Carried } from './carried.ts';
import type { CookieJar, Hint } from './cookies.ts';
import { SessionUnavailableError } from './errors.ts';
import { adaptRecord } from './fields.ts';
import { SessionHandle } from './handle.ts';
import { openIdentity, rememberedIdentity } from './identity.ts';
import type { Parts } from './parts.ts';
import type { WaitUntil } from './ports.ts';
import type { Loaded } from './recovery.ts';
import type { Identity } from './seal.ts';
import { Standing } from './standing.ts';

const PLAIN_COOKIES =
  'on plain-http localhost the session cookies are neither Secure nor prefixed with __Host-. ' +
  'Set the option cookie.secure to true where this is wrong, to false to confirm it.';

export interface OpenOptions {
  /** Confirm the session even when it is cached; throws where that cannot be done. */
  readonly isFresh: boolean;
  readonly waitUntil: WaitUntil | null;
}

export class SessionOpener<T extends object> {
  readonly #parts: Parts<T>;

  constructor(parts: Parts<T>) {
    this.#parts = parts;
  }

  /**
   * The request's session; a promise only when somebody has to be asked or a cookie to be opened.
   * @throws SessionUnavailableError nobody can know, and this instance holds nothing that may be shown.
   */
  open(jar: CookieJar, options: OpenOptions): SessionHandle<T> | Promise<SessionHandle<T>> {
    const browser = new Browser(jar, {
      cookie: this.#parts.engine.options.cookie,
      onPlain: () => this.#parts.engine.warnOnce('plain', PLAIN_COOKIES),
    });
    if (browser.seals.length === 0) return this.#handle(browser, new Standing(), options);
    const handle = options.isFresh ? null : this.#openFromMemory(browser, options);
    if (handle === null) return this.#openSlowly(browser, options);
    return handle.canWriteDueCookies ? withCookies(handle) : handle;
  }

  /** Without waiting and without cryptography, or null. */
  #openFromMemory(browser: Browser, options: OpenOptions): SessionHandle<T> | null {
    const { engine, holdings, loader } = this.#parts;
    const identity = rememberedIdentity(engine, browser);
    if (identity === null) return null;
    const hint = browser.hintFor(identity.seal);
    if (hint !== null && hint.sealedData !== null) return null;
    const held = holdings.trusted({ id: identity.id, floor: hint?.floor ?? 0 });
    if (held === null) return null;
    loader.touchIfDue(held, options.waitUntil);
    return this.#handle(browser, standingOf(identity, held, { source: 'cache', isStale: false }), options);
  }

  async #openSlowly(browser: Browser, options: OpenOptions): Promise<SessionHandle<T>> {
    const identity = await openIdentity(this.#parts.engine, browser);
    const standing =
      identity === null ? new Standing() : await this.#find(browser, identity, options.isFresh);
    if (standing.held !== null && !standing.isStale) {
      this.#parts.loader.touchIfDue(standing.held, options.waitUntil);
    }
    const handle = this.#handle(browser, standing, options);
    return handle.canWriteDueCookies ? withCookies(handle) : handle;
  }

  async #find(browser: Browser, identity: Identity, isFresh: boolean): Promise<Standing> {
    const hint = browser.hintFor(identity.seal);
    if (hint?.sealedData === null || hint === null) return this.#load(identity, hint, isFresh);
    const carried = await this.#openCarried(hint.sealedData, identity.id);
    // Without its data the hint's version is one that no node ever had.
    if (carried === null) return this.#load(identity, { ...hint, floor: 0 }, true);
    const loaded = await this.#parts.homecoming.bringHome(carried, { index: hint.index, isFresh });
    if (loaded.kind !== 'unavailable' || isFresh) return this.#standingAfter(identity, loaded, isFresh);
    const standing = new Standing();
    standing.identity = identity;
    standing.setCarrying({ carried, sealed: hint.sealedData, index: hint.index });
    return standing;
  }

  async #load(identity: Identity, hint: Hint | null, isFresh: boolean): Promise<Standing> {
    const wanted = { id: identity.id, index: hint?.index ?? null, floor: hint?.floor ?? 0 };
    return this.#standingAfter(identity, await this.#parts.loader.load(wanted, { isFresh }), isFresh);
  }

  #standingAfter(identity: Identity, loaded: Loaded, isFresh: boolean): Standing {
    if (loaded.kind === 'unavailable') throw loaded.error;
    // An id that is not stored is never adopted: what is saved now gets a new one.
    if (loaded.kind !== 'found') return new Standing();
    if (isFresh && loaded.isStale) throw new SessionUnavailableError('bridge_unavailable');
    return standingOf(identity, loaded.held, loaded);
  }

  /** The cookie's data when it is ours, for this id and within its lifetimes. */
  async #openCarried(sealed: string, id: string): Promise<Carried | null> {
    const { engine } = this.#parts;
    const { options, remote } = engine;
    const opened = await engine.sealer.unseal('data', sealed);
    if (!opened.ok) {
      engine.emit({ type: 'rejected', what: 'cookie', reason: opened.reason });
      return null;
    }
    const carried = readCarried(opened.payload, { id, app: options.app });
    const record = carried === null ? null : adaptRecord(carried.record, options.codec);
    if (carried === null || record === null) {
      engine.emit({ type: 'rejected', what: 'cookie', reason: 'foreign' });
      return null;
    }
    const isOver =
      record.savedAt + options.ttl < engine.nowSeconds() || record.startedAt < remote.startedAfter();
    if (!isOver) return { ...carried, record };
    engine.emit({ type: 'rejected', what: 'cookie', reason: 'expired' });
    return null;
  }

  #handle(browser: Browser, standing: Standing, { waitUntil }: OpenOptions): SessionHandle<T> {
    return new SessionHandle(this.#parts, { browser, standing, waitUntil });
  }
}

function standingOf(
  identity: Identity,
  held: Held,
  { source, isStale }: { readonly source: 'cache' | 'bridge'; readonly isStale: boolean },
): Standing {
  const standing = new Standing();
  standing.identity = identity;
  standing.setHeld(held, source);
  standing.isStale = isStale;
  return standing;
}

async function withCookies<T extends object>(handle: SessionHandle<T>): Promise<SessionHandle<T>> {
  await handle.writeDueCookies();
  return handle;
}
