/** The tries of one request: which bridge is asked next, and when. */
import type { Bridge } from './bridge.ts';
import type { SessionError } from './errors.ts';
import type { Clock, RandomBytes } from './ports.ts';

export interface AttemptsOptions {
  /** The one to be asked first is the first. */
  readonly bridges: readonly Bridge[];
  /** When nobody waits for an answer any longer, milliseconds. */
  readonly deadline: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
}

export interface Attempt {
  readonly bridge: Bridge;
  readonly timeoutMs: number;
}

/** Share of the time left that a try gets when another can follow: a bridge that hangs leaves time for the next. */
const SHARE = 0.6;
/** Tries when nobody else can be asked. */
const TRIES = 2;
/** Milliseconds before the same bridge is asked again, at most: doubled from the first to the longest, and jittered. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 400;
/** A bridge that is left alone is probed so long after its last failure when another one fails, milliseconds. */
const NUDGE_MS = 250;
/** And so long when there is no other, so that an outage is over for the clients when it is over for the bridges. */
const ALONE_MS = 1_000;
/** Who is well answers a probe within this time, milliseconds: so long every call waits for one. */
const PROBE_MS = 150;

/**
 * All operations are safe to repeat. Of several bridges, one that refuses is not asked again, but one that cannot
 * be reached is: while they restart in turn there is always one that answers, though not always the one that
 * was asked.
 */
export class Attempts {
  readonly #options: AttemptsOptions;
  /** What those that were asked have failed with last; who was asked last is the last. */
  readonly #failures = new Map<Bridge, SessionError>();
  #count = 0;
  #pauses = 0;
  readonly #beganAt: number;
  /** Waiting ends here, so that who is found then can still be asked. */
  readonly #waitUntil: number;

  constructor(options: AttemptsOptions) {
    this.#options = options;
    this.#beganAt = options.clock.now();
    this.#waitUntil = this.#beganAt + this.#leftMs * SHARE;
  }

  failed(bridge: Bridge, error: SessionError): void {
    this.#failures.delete(bridge);
    this.#failures.set(bridge, error);
    this.#count += 1;
  }

  /** Whom to ask next, as soon as somebody is to be asked; null when there is nobody, or no time. */
  async next(): Promise<Attempt | null> {
    while (this.#leftMs > 0) {
      // Looked up each time: the one that is back is often found by what failed at another.
      const usable = this.#usableBridges();
      const [first, ...others] = usable.filter((bridge) => !this.#failures.has(bridge));
      if (first !== undefined) return this.#attempt(first, others.length === 0 && this.#count > 0);
      const again = [...this.#failures.keys()].find((bridge) => this.#isWorthAnother(bridge));
      const pauseMs = again === undefined ? this.#restMs() : this.#backOffMs();
      if (pauseMs <= 0) return null;
      const found = await this.#pause(pauseMs, again === undefined);
      if (found !== null) return this.#attempt(found, true);
      if (again?.isUsable === true) return this.#attempt(again, true);
    }
    return null;
  }

  get #leftMs(): number {
    return this.#options.deadline - this.#options.clock.now();
  }

  get #waitMs(): number {
    return this.#waitUntil - this.#options.clock.now();
  }

  get #isAlone(): boolean {
    return this.#options.bridges.length === 1;
  }

  #attempt(bridge: Bridge, isLast: boolean): Attempt | null {
    const timeoutMs = isLast ? this.#leftMs : this.#leftMs * SHARE;
    return timeoutMs > 0 ? { bridge, timeoutMs } : null;
  }

  /** Without those that are left alone; those that want to be spared come last. */
  #usableBridges(): Bridge[] {
    const usable = this.#options.bridges.filter((bridge) => bridge.isUsable);
    if (usable.length === 1) return usable;
    return [...usable.filter(({ isSpared }) => !isSpared), ...usable.filter(({ isSpared }) => isSpared)];
  }

  #isWorthAnother(bridge: Bridge): boolean {
    if (!bridge.isUsable) return false;
    if (this.#count < TRIES && !bridge.isOverloaded) return true;
    const isSilent = this.#failures.get(bridge)?.code === 'bridge_unavailable';
    return isSilent && !this.#isAlone && this.#waitMs > 0;
  }

  #backOffMs(): number {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, LONGEST_PAUSE_MS, this.#leftMs / 4);
    this.#pauses += 1;
    return pauseMs * (0.5 + (this.#options.random(1)[0] ?? 0) / 512);
  }

  /**
   * How long to wait for one of those that are left alone, until it answers or may be probed. When they have been
   * for a while and this request has not met the failure of another, that is an outage: then only for an answer to
   * a probe that has just been sent, which is often sent by this very request and may find the outage over.
   */
  #restMs(): number {
    const { bridges } = this.#options;
    const isNew = bridges.some(({ isNewlyLeft }) => isNewlyLeft);
    const hasFailed = this.#count > 0;
    const left: Bridge[] = [];
    for (const bridge of bridges) {
      bridge.nudge(hasFailed || isNew ? NUDGE_MS : ALONE_MS);
      // Asking starts the probe that is due.
      if (!bridge.isUsable) left.push(bridge);
    }
    const isProbed = left.some((bridge) => bridge.isProbed);
    const isWaitedFor = isProbed ? hasFailed || isNew : isNew && !this.#isAlone;
    const rests = isWaitedFor ? left.map(({ restMs }) => restMs) : [this.#answerMs(left)];
    return Math.min(this.#waitMs, ...rests);
  }

  /** How long an answer to the last probe is waited for in an outage. */
  #answerMs(left: readonly Bridge[]): number {
    const elapsedMs = this.#options.clock.now() - this.#beganAt;
    return PROBE_MS - Math.max(elapsedMs, Math.min(...left.map(({ probedForMs }) => probedForMs)));
  }

  /** Gives one that is found well within this time; `isIdle` when there is nothing to wait for but probes. */
  async #pause(pauseMs: number, isIdle: boolean): Promise<Bridge | null> {
    const { bridges, clock } = this.#options;
    let cancel = ignore;
    const late = new Promise<null>((resolve) => {
      cancel = clock.after(pauseMs, () => resolve(null));
    });
    const probes = bridges.filter(({ isProbed }) => isProbed).map(findWell);
    const found = Promise.any(probes).catch(() => (isIdle && probes.length > 0 ? null : late));
    const first = await Promise.race([found, late]);
    cancel();
    return first;
  }
}

async function findWell(bridge: Bridge): Promise<Bridge> {
  await bridge.probed;
  if (bridge.isUsable) return bridge;
  throw new Error('It is not well.');
}

function ignore(): void {
  // Nothing is to be done.
}
