/** One bridge: the only fetch(), its deadline, and whether it is worth a try. */
import { Breaker } from './breaker.ts';
import { SessionUnavailableError, type SessionError } from './errors.ts';
import type { Clock, Fetch, RandomBytes } from './ports.ts';
import { PATHS } from './protocol.ts';
import type { TokenSource } from './token.ts';
import type { WireRequest } from './wire.ts';

export interface BridgeOptions {
  /** URL → what is known of the bridge, shared by all copies of this module in the process. */
  readonly breakers: Map<string, Breaker>;
  readonly fetch: Fetch;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly timeoutMs: number;
}

/** How one request is made: how long it may take, and how its answer is read within that time. */
export interface Exchange<R> {
  readonly timeoutMs: number;
  readonly read: (response: Response) => Promise<R>;
}

/**
 * What a server says on a connection on which no request came for long (RFC 9110, section 15.5.9). Where the
 * client stood still meanwhile, it reads that as the answer to its next request: another connection takes that.
 */
const CONNECTION_TOO_OLD = 408;

export class Bridge {
  readonly #url: string;
  readonly #token: TokenSource;
  readonly #options: BridgeOptions;
  readonly #breaker: Breaker;
  #isOverloaded = false;

  constructor(url: string, token: TokenSource, options: BridgeOptions) {
    this.#url = url;
    this.#token = token;
    this.#options = options;
    const { breakers, clock, random, timeoutMs } = options;
    const probe = (): Promise<boolean> => this.#probe();
    const known = breakers.get(url);
    this.#breaker = known ?? new Breaker({ clock, random, probe, lostMs: 2 * timeoutMs });
    breakers.set(url, this.#breaker);
  }

  /** Whether it is worth a try now; where not, it may be probed in the background. */
  get isUsable(): boolean {
    return this.#breaker.allows();
  }

  /** Whether calls have only just begun to leave it alone. */
  get isNewlyLeft(): boolean {
    return this.#breaker.isNewlyOpen;
  }

  get isProbed(): boolean {
    return this.#breaker.isProbed;
  }

  /** Milliseconds for which it has been probed; endless when it is not. */
  get probedForMs(): number {
    return this.#breaker.probedForMs;
  }

  /** Milliseconds until it may be probed; endless while it is. */
  get restMs(): number {
    return this.#breaker.restMs;
  }

  /** Resolves when the last probe has ended. */
  get probed(): Promise<unknown> {
    return this.#breaker.probed;
  }

  /**
   * Sends a request and reads its answer within the time-out, even when the platform ignores the signal.
   * @throws whatever the platform's fetch or `read` throws; SessionUnavailableError when it took too long.
   */
  async request<R>(request: WireRequest, { timeoutMs, read }: Exchange<R>): Promise<R> {
    const abort = new AbortController();
    let cancel = ignore;
    const late = new Promise<never>((_, reject) => {
      cancel = this.#options.clock.after(timeoutMs, () => {
        reject(
          new SessionUnavailableError('bridge_unavailable', `No answer within ${Math.ceil(timeoutMs)} ms.`),
        );
        abort.abort();
      });
    });
    const send = async (): Promise<Response> => {
      const authorization = `Bearer ${await this.#token.get()}`;
      return this.#options.fetch(this.#url + request.path, {
        method: request.method,
        headers: { ...request.headers, authorization },
        body: request.body,
        // A redirect never comes from a bridge; following one would show the token to somebody else.
        redirect: 'manual',
        cache: 'no-store',
        signal: abort.signal,
      });
    };
    const exchange = async (): Promise<R> => {
      let response = await send();
      if (response.status === CONNECTION_TOO_OLD) {
        await response.body?.cancel();
        response = await send();
      }
      this.#spareWhenAsked(response);
      if (response.status === 401) this.#token.drop(readDate(response));
      return read(response);
    };
    try {
      return await Promise.race([exchange(), late]);
    } finally {
      cancel();
    }
  }

  /** Whether other bridges are to be asked first. */
  get isSpared(): boolean {
    return this.#breaker.isSpared;
  }

  /** Whether its last answer was that it has too much to do: to ask again at once would be twice the work. */
  get isOverloaded(): boolean {
    return this.#isOverloaded;
  }

  /** RFC 9110, section 10.2.3; a date, which no bridge sends, is ignored. */
  #spareWhenAsked({ status, headers }: Response): void {
    if (status !== 429 && status !== 503) return;
    const seconds = /^[0-9]{1,9}$/.exec(headers.get('retry-after') ?? '')?.[0];
    if (seconds !== undefined) this.#breaker.spare(Number(seconds) * 1000);
  }

  /** It is probed, when it is not usable, by the next call that is made so long after its last failure. */
  nudge(afterMs: number): void {
    this.#breaker.nudge(afterMs);
  }

  succeeded(): void {
    this.#isOverloaded = false;
    this.#breaker.succeeded();
  }

  /**
   * After so many milliseconds. A bridge that says why it cannot is alive; one that does not answer, or something
   * else that does, is not.
   */
  failed(error: SessionError, tookMs: number): void {
    this.#isOverloaded = error.code === 'overloaded';
    if (error.code === 'bridge_unavailable' || error.code === 'invalid_response')
      this.#breaker.failed(tookMs);
    else this.#breaker.succeeded();
  }

  async #probe(): Promise<boolean> {
    const request: WireRequest = { method: 'GET', path: PATHS.health, headers: {}, body: null };
    try {
      return await this.request(request, { timeoutMs: this.#options.timeoutMs, read: isWell });
    } catch {
      return false;
    }
  }
}

/** What the bridge takes the time to be, or undefined. */
function readDate({ headers }: Response): number | undefined {
  const time = Date.parse(headers.get('date') ?? '');
  return Number.isNaN(time) ? undefined : time;
}

async function isWell({ status, headers, body }: Response): Promise<boolean> {
  await body?.cancel();
  // A page that says 200 comes from somebody else.
  return status === 200 && headers.get('content-type')?.includes('json') === true;
}

function ignore(): void {
  // Nothing is to be done.
}
