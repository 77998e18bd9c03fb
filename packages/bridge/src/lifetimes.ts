/** The lifetimes that apps ask for, so that what the bridge stores by itself does not live shorter. */
import { LIMITS } from '@memsession/client/protocol';
import type { Clock } from './node.ts';

/** The longest lifetime counts from one to two of these, so that an app may give its sessions shorter ones. */
const SPAN_MS = 86_400_000;
/** Of more apps the one that came first is forgotten. */
const MOST_APPS = 10_000;

interface Asked {
  /** The longest of this span and of the one before, seconds. */
  longest: number;
  before: number;
  endsAt: number;
}

/** Bounded memory of lifetimes, by app. */
export class Lifetimes {
  readonly #clock: Clock;
  readonly #byApp: Map<string, Asked> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An app gives a session this lifetime. It may be the short rest that a session has of its absolute one. */
  note(app: string, ttlSeconds: number): void {
    const now = this.#clock.now();
    const asked = this.#byApp.get(app) ?? this.#begin(app, now);
    if (now >= asked.endsAt) {
      asked.before = asked.longest;
      asked.longest = 0;
      asked.endsAt = now + SPAN_MS;
    }
    asked.longest = Math.max(asked.longest, ttlSeconds);
  }

  /** The longest that the app asks for; where it has asked for none yet, the longest there is. */
  longestOf(app: string): number {
    const asked = this.#byApp.get(app);
    return asked === undefined ? LIMITS.ttlSeconds : Math.max(asked.longest, asked.before);
  }

  #begin(app: string, now: number): Asked {
    const [first] = this.#byApp.keys();
    if (this.#byApp.size >= MOST_APPS && first !== undefined) this.#byApp.delete(first);
    const asked = { longest: 0, before: 0, endsAt: now + SPAN_MS };
    this.#byApp.set(app, asked);
    return asked;
  }
}
