/** Remembers which keys on which node may still be changed by a write that got no answer. */
import type { Clock } from './node.ts';

/** How long a write without an answer may still arrive, milliseconds. */
const DOUBT_MS = 300_000;
/** Keys remembered per node; beyond that the node's whole memory is in doubt until they fade. */
const MOST_KEYS = 10_000;

/** Bounded memory of doubts; see docs/how-it-works.md. */
export class Doubts {
  readonly #clock: Clock;
  readonly #byNode: Map<number, Map<string, number>> = new Map();
  readonly #overflowUntil: Map<number, number> = new Map();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A write of this key on this node may be applied now or later. */
  add(nodeIndex: number, key: string): void {
    const keys = this.#byNode.get(nodeIndex) ?? new Map<string, number>();
    this.#byNode.set(nodeIndex, keys);
    this.#dropFaded(keys);
    const until = this.#clock.now() + DOUBT_MS;
    if (keys.size >= MOST_KEYS && !keys.has(key)) {
      this.#overflowUntil.set(nodeIndex, until);
      return;
    }
    // Deleting first keeps the map in order of time.
    keys.delete(key);
    keys.set(key, until);
  }

  /** The item was rewritten on this node, so that an older write can no longer be applied to it. */
  clear(nodeIndex: number, key: string): void {
    this.#byNode.get(nodeIndex)?.delete(key);
  }

  has(nodeIndex: number, key: string): boolean {
    const overflow = this.#overflowUntil.get(nodeIndex) ?? 0;
    const until = Math.max(overflow, this.#byNode.get(nodeIndex)?.get(key) ?? 0);
    return until > 0 && until > this.#clock.now();
  }

  /** Nodes with keys in doubt. */
  nodes(): number[] {
    for (const keys of this.#byNode.values()) this.#dropFaded(keys);
    return [...this.#byNode].filter(([, keys]) => keys.size > 0).map(([index]) => index);
  }

  /** Some keys in doubt on a node, oldest first. */
  some(nodeIndex: number, most: number): string[] {
    const keys = this.#byNode.get(nodeIndex);
    if (keys === undefined) return [];
    this.#dropFaded(keys);
    return [...keys.keys()].slice(0, most);
  }

  /** How many keys are in doubt on all nodes. */
  get size(): number {
    let sum = 0;
    for (const keys of this.#byNode.values()) {
      this.#dropFaded(keys);
      sum += keys.size;
    }
    return sum;
  }

  #dropFaded(keys: Map<string, number>): void {
    const now = this.#clock.now();
    for (const [key, until] of keys) {
      if (until > now) return;
      keys.delete(key);
    }
  }
}
