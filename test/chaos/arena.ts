/** What a row of the fault table gets to work with while it breaks things. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fact } from '../history/history.ts';
import type { Random } from '../simulation/random.ts';
import type { Finding, RunHead, StateChange } from './run-log.ts';
import type { Stack } from './stack.ts';
import type { Load, Workload } from './workload.ts';

/** Ends what a fault began. */
export type Heal = () => Promise<void>;

/** What was seen in one row, for the demands that only this row makes. */
export interface Seen extends Pick<RunHead, 'phases' | 'lagMs'> {
  readonly operations: Workload['operations'];
  readonly states: readonly StateChange[];
  readonly stalls: Workload['stalls'];
  readonly events: Readonly<Record<string, number>>;
}

/** One row of the fault table. */
export interface Row {
  readonly id: string;
  readonly title: string;
  /** memcached's flags, where the row needs other nodes than the usual ones. */
  readonly flags?: readonly string[];
  /** It must have the stack for itself: it leaves the list or the processes other than it found them. */
  readonly isAlone?: boolean;
  readonly load?: Partial<Load>;
  /** The fault phase is at least so long, milliseconds. */
  readonly leastMs?: number;
  /** Before the warm phase. */
  readonly prepare?: (arena: Arena) => Promise<void>;
  /** Breaks something; resolves when the fault phase may end. */
  readonly fault: (arena: Arena) => Promise<Heal>;
  /** What must be true of this row beside the promises. */
  readonly demands?: (seen: Seen) => Finding[];
}

export interface ArenaOptions {
  readonly stack: Stack;
  readonly workload: Workload;
  readonly seed: number;
  readonly random: Random;
  /** How long the fault phase is, milliseconds. */
  readonly faultMs: number;
  readonly facts: Fact[];
  readonly now: () => number;
}

export class Arena {
  readonly stack: Stack;
  readonly workload: Workload;
  readonly random: Random;
  readonly faultMs: number;
  readonly findings: Finding[] = [];
  readonly #facts: Fact[];
  readonly #first: number;
  readonly now: () => number;

  constructor({ stack, workload, seed, random, faultMs, facts, now }: ArenaOptions) {
    this.stack = stack;
    this.workload = workload;
    this.random = random;
    this.faultMs = faultMs;
    this.#facts = facts;
    this.#first = seed % stack.nodes.length;
    this.now = now;
  }

  /** A node that the seed chooses, another one for each row on the same processes. */
  pickNode(): number {
    return (this.#first + this.stack.takeTurn()) % this.stack.nodes.length;
  }

  pickBridge(): number {
    return this.random.below(this.stack.bridges.length);
  }

  /** Writes down what was done. */
  tell(text: string): void {
    this.#facts.push({ kind: 'fault', at: this.now(), text });
  }

  /** Writes down that the nodes have lost everything about a session, or with `*` about all. */
  lose(session: string, text: string): void {
    this.#facts.push({ kind: 'loss', at: this.now(), session, text });
  }

  demand(what: string, isHeld: boolean, detail = ''): void {
    this.findings.push({ what, isHeld, detail });
  }

  /** Lets the load go on for a share of the fault phase. */
  async goOn(share = 1): Promise<void> {
    await sleep(this.faultMs * share);
  }
}
