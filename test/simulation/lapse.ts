/** Watches for nodes that are silent beyond the grace: their memory counts as lost, and comes back with them. */
import type { Memcached } from './memcached.ts';
import { QUIET } from './network.ts';
import type { FaultStep } from './plan.ts';
import { COPIES, LOSS_GRACE_MS } from './sim-bridge.ts';
import { sessionOf, type World } from './world.ts';

/** How often it is looked whether every bridge uses the nodes again, milliseconds. */
const LOOK_MS = 50;

export class LapseWatch {
  readonly #world: World;
  /** Nodes whose memory counts as lost for some bridge, or may. */
  readonly #nodes: Set<number> = new Set();
  /** Since when so many of them are silent that a session may have had all its copies there. */
  #since: number | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  /** The node is silent from now on. */
  silenced(node: number, forMs: number): void {
    if (forMs < LOSS_GRACE_MS) return;
    const { scheduler } = this.#world;
    scheduler.after(LOSS_GRACE_MS, () => {
      this.#nodes.add(node);
      if (this.#nodes.size < COPIES) return;
      this.#since ??= scheduler.now;
      if (this.#isExcused) this.#noteLostEndings();
    });
    scheduler.after(forMs, () => this.#awaitReturn(node));
  }

  /**
   * A logout is written to one node more than a session has copies. Where one of them could not be reached then, the
   * silent nodes may be all that know of it.
   */
  get #isExcused(): boolean {
    const { noise, steps } = this.#world.plan;
    const isOfNode = ({ fault }: FaultStep): boolean => 'node' in fault || fault.type === 'cut';
    const faults = steps.filter((step) => step.kind === 'fault' && isOfNode(step));
    return noise !== QUIET || faults.length > COPIES;
  }

  #noteLostEndings(): void {
    const { nodes } = this.#world;
    const known = new Set(nodes.filter(({ index }) => !this.#nodes.has(index)).flatMap(tombstonesOf));
    const silent = new Set(nodes.filter(({ index }) => this.#nodes.has(index)).flatMap(tombstonesOf));
    for (const key of silent) {
      if (known.has(key)) continue;
      const session = sessionOf(key);
      this.#world.note('loss', `only silent nodes know that ${session} was ended`, session);
    }
  }

  #awaitReturn(node: number): void {
    const { scheduler, bridges } = this.#world;
    if (bridges.every((bridge) => bridge.isUsing(node))) return this.#returned(node);
    scheduler.after(LOOK_MS, () => this.#awaitReturn(node));
  }

  #returned(node: number): void {
    const { scheduler } = this.#world;
    this.#nodes.delete(node);
    if (this.#nodes.size > 0 || this.#since === null) return;
    this.#world.lapsed(this.#since, scheduler.now);
    this.#since = null;
  }
}

function tombstonesOf(node: Memcached): string[] {
  return [...node.sessions()].filter(([, { value }]) => value.length === 0).map(([key]) => key);
}
