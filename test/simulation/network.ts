/** The simulated network: messages take time, get lost, come late or twice, and links are cut in one direction. */
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

/** What happens to messages everywhere, as probabilities. */
export interface Noise {
  /** The message never arrives. */
  readonly lose: number;
  /** It arrives up to {@link LONGEST_HOLD_MS} late. */
  readonly hold: number;
  /** A request over HTTP arrives twice, the second time perhaps much later. */
  readonly duplicate: number;
  /** A connection to a node breaks. */
  readonly reset: number;
  /** A node answers with what belongs to another key. */
  readonly mixUp: number;
}

export const QUIET: Noise = { lose: 0, hold: 0, duplicate: 0, reset: 0, mixUp: 0 };

/** How late a held message may come, milliseconds. */
const LONGEST_HOLD_MS = 4_000;
/** Of the messages on a cut link so many come when it is whole again, as TCP sends them again. */
const KEPT_ON_CUT = 0.5;

interface Link {
  cuts: number;
  readonly waiting: (() => void)[];
}

export class Network {
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #links: Map<string, Link> = new Map();
  noise: Noise = QUIET;

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** Takes a message to the other side, sooner, later or never. */
  carry(from: string, to: string, arrive: () => void): void {
    const link = this.#links.get(nameOf(from, to));
    if (link !== undefined && link.cuts > 0) {
      if (this.#random.chance(KEPT_ON_CUT)) link.waiting.push(arrive);
      return;
    }
    if (this.#random.chance(this.noise.lose)) return;
    this.#scheduler.after(this.#delayMs(), arrive);
  }

  /** From now on nothing passes in this direction; the returned function heals it, once. */
  cut(from: string, to: string): () => void {
    const name = nameOf(from, to);
    const link = this.#links.get(name) ?? { cuts: 0, waiting: [] };
    this.#links.set(name, link);
    link.cuts += 1;
    let isHealed = false;
    return () => {
      if (isHealed) return;
      isHealed = true;
      link.cuts -= 1;
      if (link.cuts > 0) return;
      for (const arrive of link.waiting.splice(0))
        this.#scheduler.after(this.#random.between(1, 200), arrive);
    };
  }

  #delayMs(): number {
    const usual = this.#random.between(0.1, 0.6);
    if (this.#random.chance(this.noise.hold)) return usual + this.#random.between(50, LONGEST_HOLD_MS);
    // One in fifty is slow, as on real networks.
    return this.#random.chance(0.02) ? usual + this.#random.between(1, 30) : usual;
  }
}

function nameOf(from: string, to: string): string {
  return `${from}>${to}`;
}
