/** Clears doubts in the background: reads what is in doubt, so that it is compared and rewritten. */
import type { Cluster } from './cluster.ts';
import type { Doubts } from './doubts.ts';
import type { Clock } from './node.ts';

export interface SettlerOptions {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly doubts: Doubts;
  /** Asks all nodes about a key and repairs its copies. */
  readonly confirm: (key: string) => Promise<void>;
}

const PAUSE_MS = 1_000;
/** Keys a node in one go: settling must not become the load. */
const MOST_KEYS = 20;

/** Works until it is stopped. */
export class Settler {
  readonly #options: SettlerOptions;
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: SettlerOptions) {
    this.#options = options;
    this.#schedule();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  #schedule(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.clock.after(PAUSE_MS, () => void this.#work());
  }

  async #work(): Promise<void> {
    const { cluster, doubts, confirm } = this.#options;
    const usable = doubts.nodes().filter((index) => cluster.candidate(index)?.isAvailable === true);
    const keys = new Set(usable.flatMap((index) => doubts.some(index, MOST_KEYS)));
    // What fails here fails for whoever asks for the session, and is told there; it must not end the process.
    await Promise.allSettled([...keys].map((key) => confirm(key)));
    this.#schedule();
  }
}
