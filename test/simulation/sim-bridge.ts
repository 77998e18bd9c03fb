/** A bridge of the simulation: the real API, store, health and placement over simulated links. */
import { pino } from 'pino';
import { createApp } from '../../packages/bridge/src/app.ts';
import { Cluster } from '../../packages/bridge/src/cluster.ts';
import type { NodeEntry, NodeList } from '../../packages/bridge/src/node-list.ts';
import type { MemcachedNode } from '../../packages/bridge/src/node.ts';
import type { StoreEvent } from '../../packages/bridge/src/observer.ts';
import { SessionStore } from '../../packages/bridge/src/store.ts';
import { Machine } from './machine.ts';
import type { Memcached } from './memcached.ts';
import type { Network } from './network.ts';
import { NodeLink } from './node-link.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface SimBridgeOptions {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: Random;
  readonly nodes: readonly Memcached[];
  readonly trace: (text: string) => void;
  readonly onDefect: (text: string) => void;
  readonly onLie: (key: string) => void;
  /** Puts something between the bridge and a node; for broken builds. */
  readonly wrapNode?: (node: MemcachedNode) => MemcachedNode;
}

const NODE_TIMEOUT_MS = 250;
export const LOSS_GRACE_MS = 30_000;
/** How many nodes hold a session. */
export const COPIES = 2;
/** A stall counts for so long after its end, as in the bridge's own lag meter, milliseconds. */
const LAG_MEMORY_MS = 500;

const silent = pino({ level: 'silent' });

interface Life {
  readonly cluster: Cluster;
  readonly store: SessionStore;
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly links: Map<number, NodeLink>;
}

export class SimBridge {
  readonly machine: Machine;
  readonly #options: SimBridgeOptions;
  #life: Life | null = null;
  #isListening = false;
  #lag = { ms: 0, until: 0 };
  /** Wall clock minus true time, milliseconds. */
  skewMs = 0;
  readonly counts: Map<StoreEvent, number> = new Map();

  constructor(index: number, options: SimBridgeOptions) {
    this.#options = options;
    this.machine = new Machine(`bridge ${index}`, options.scheduler);
  }

  /** Starts the process. It listens when every node has answered or not. */
  start(list: NodeList): void {
    const { trace } = this.#options;
    this.machine.start();
    this.#lag = { ms: 0, until: 0 };
    const life = this.#build(list);
    this.#life = life;
    const { machine } = this;
    const born = machine.life;
    void life.cluster.settled().then(() => {
      if (!machine.isAlive || machine.life !== born) return;
      this.#isListening = true;
      trace(`${machine.name} listens`);
    });
  }

  kill(): void {
    this.#isListening = false;
    this.#life = null;
    this.machine.kill();
  }

  stall(forMs: number): void {
    this.machine.stall(forMs);
    this.#lag = { ms: forMs, until: this.#options.scheduler.now + forMs + LAG_MEMORY_MS };
  }

  get isListening(): boolean {
    return this.#isListening;
  }

  /** Whether it reads from and writes to this node; true as long as it does nothing at all. */
  isUsing(nodeIndex: number): boolean {
    return this.#life === null || this.#life.cluster.candidate(nodeIndex)?.isAvailable === true;
  }

  /** The answer to a request that has arrived. */
  async answer(request: Request): Promise<Response> {
    if (this.#life === null) throw new Error(`${this.machine.name} is not running`);
    return this.#life.fetch(request);
  }

  applyList(list: NodeList): void {
    const problems = this.#life?.cluster.apply(list) ?? [];
    if (problems.length > 0) this.#options.onDefect(`${this.machine.name}: ${problems.join('; ')}`);
  }

  /** The connections to one node break. */
  breakConnections(nodeIndex: number): void {
    this.#life?.links.get(nodeIndex)?.breakConnections();
  }

  #build(list: NodeList): Life {
    const { scheduler, random, trace } = this.#options;
    const links = new Map<number, NodeLink>();
    const clock = this.machine.clock();
    const cluster = new Cluster(
      {
        clock,
        random: () => random.next(),
        wallClock: () => 1_000_000_000 + scheduler.now + this.skewMs,
        lagMs: () => (scheduler.now < this.#lag.until ? this.#lag.ms : 0),
        lossGraceMs: LOSS_GRACE_MS,
        createNode: (entry, onConnectionLost) => this.#link(entry, onConnectionLost, links),
        onTransition: ({ index, from, to, reason }) =>
          trace(`${this.machine.name}: node ${index} ${from} → ${to} (${reason})`),
      },
      list,
    );
    const observer = {
      count: (event: StoreEvent) => this.counts.set(event, (this.counts.get(event) ?? 0) + 1),
    };
    const store = new SessionStore({
      cluster,
      clock,
      copies: COPIES,
      nodeTimeoutMs: NODE_TIMEOUT_MS,
      observer,
    });
    const app = createApp({
      store,
      cluster,
      authenticator: { authenticate: async () => ({ ok: true, app: 'shop' }) },
      maxRecordBytes: 524_288,
      whyNotReady: () => null,
      warnings: () => [],
      log: silent,
    });
    return { cluster, store, fetch: (request) => app.fetch(request), links };
  }

  #link({ index }: NodeEntry, onConnectionLost: () => void, links: Map<number, NodeLink>): MemcachedNode {
    const { nodes, network, random, trace, onLie, wrapNode = (node: MemcachedNode) => node } = this.#options;
    const node = nodes[index];
    if (node === undefined) throw new RangeError(`there is no node ${index}`);
    const timeoutMs = NODE_TIMEOUT_MS;
    const link = new NodeLink({
      bridge: this.machine,
      node,
      network,
      random,
      timeoutMs,
      onConnectionLost,
      trace,
      onLie,
    });
    links.set(index, link);
    return wrapNode(link);
  }
}
