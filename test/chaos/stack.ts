/** The system under test: nodes, bridges and instances as processes, and a faulty network between all of them. */
import { FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { type Memcached, startMemcached } from '../support/memcached.ts';
import { BRIDGE_SECRET } from '../support/app.ts';
import { AppProcess } from './app-process.ts';
import { BridgeHost } from './bridge-host.ts';

export interface StackOptions {
  readonly nodes: number;
  readonly bridges: number;
  readonly instances: number;
  /** How long an instance may believe its cache, seconds. */
  readonly maxStale: number;
  /** The instances' deadline for one call to the bridges, milliseconds. */
  readonly timeoutMs: number;
  /** Of each memcached. */
  readonly flags?: readonly string[];
  readonly bridgeEnv?: Readonly<Record<string, string>>;
  /** The bridge's program, when it is not the built one. */
  readonly bridgeMain?: string;
  readonly onDefect: (text: string) => void;
  readonly onLag: (lagMs: number) => void;
}

/** A node, and one proxy for each bridge that talks to it. */
export interface NodeSite {
  readonly index: number;
  memcached: Memcached;
  readonly edges: readonly FaultProxy[];
}

export const SESSION_SECRET = 'session-secret-for-chaos-only-0123456789';

export class Stack {
  readonly nodes: NodeSite[];
  readonly bridges: readonly BridgeHost[];
  readonly instances: readonly AppProcess[];
  /** Between the instances and each bridge. */
  readonly fronts: readonly FaultProxy[];
  /** What follows each node's address in the list, or `removed`. */
  readonly #states: ('' | ' drain' | 'removed')[];
  readonly #options: StackOptions;
  #turn = 0;

  constructor(
    options: StackOptions,
    parts: {
      nodes: NodeSite[];
      bridges: readonly BridgeHost[];
      instances: readonly AppProcess[];
      fronts: readonly FaultProxy[];
    },
  ) {
    this.#options = options;
    this.nodes = parts.nodes;
    this.bridges = parts.bridges;
    this.instances = parts.instances;
    this.fronts = parts.fronts;
    this.#states = parts.nodes.map(() => '');
  }

  node(index: number): NodeSite {
    const site = this.nodes[index];
    if (site === undefined) throw new RangeError(`there is no node ${index}`);
    return site;
  }

  bridge(index: number): BridgeHost {
    const host = this.bridges[index];
    if (host === undefined) throw new RangeError(`there is no bridge ${index}`);
    return host;
  }

  instance(index: number): AppProcess {
    const instance = this.instances[index];
    if (instance === undefined) throw new RangeError(`there is no instance ${index}`);
    return instance;
  }

  /** The nodes' turns: a node that falls twice in a minute is trusted later, so each gets its own fault. */
  takeTurn(): number {
    this.#turn += 1;
    return this.#turn;
  }

  /** The proxy between a bridge and a node. */
  edge(bridge: number, node: number): FaultProxy {
    const proxy = this.node(node).edges[bridge];
    if (proxy === undefined) throw new RangeError(`there is no bridge ${bridge}`);
    return proxy;
  }

  /** Starts a node anew at its address, empty and with these flags. */
  async replaceNode(index: number, flags: readonly string[]): Promise<void> {
    const site = this.node(index);
    const { port } = site.memcached;
    await site.memcached.kill();
    site.memcached = await startMemcached({ port, flags });
  }

  /** One more node, at the end of the list; the bridges do not know it yet. */
  async addNode(): Promise<number> {
    const index = this.nodes.length;
    this.nodes.push(await startNode(index, this.#options));
    this.#states.push('');
    return index;
  }

  /** Changes what the bridges read about a node, or tells them of a new one. */
  async setNode(index: number, state: 'active' | 'draining' | 'removed'): Promise<void> {
    this.#states[index] = state === 'active' ? '' : state === 'draining' ? ' drain' : 'removed';
    await this.publishNodes();
  }

  async publishNodes(): Promise<void> {
    await Promise.all(
      this.bridges.map((bridge, at) =>
        bridge.setNodes(
          this.#states.map((state, node) =>
            state === 'removed' ? state : `127.0.0.1:${this.edge(at, node).port}${state}`,
          ),
        ),
      ),
    );
  }

  /** Ends everything; rejects when something could not be ended in order. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance[Symbol.asyncDispose]()));
    const ends = await Promise.allSettled(this.bridges.map((bridge) => bridge[Symbol.asyncDispose]()));
    await Promise.all(this.fronts.map((front) => front[Symbol.asyncDispose]()));
    await Promise.all(this.nodes.map((node) => endNode(node)));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }
}

/** Starts everything; resolves when all processes listen. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const nodes = await Promise.all(Array.from({ length: options.nodes }, (_, i) => startNode(i, options)));
  const bridges = await Promise.all(
    Array.from({ length: options.bridges }, (_, index) =>
      BridgeHost.create({
        index,
        onDefect: options.onDefect,
        ...(options.bridgeEnv === undefined ? {} : { env: options.bridgeEnv }),
        ...(options.bridgeMain === undefined ? {} : { main: options.bridgeMain }),
      }),
    ),
  );
  const fronts = await Promise.all(bridges.map(({ port }) => startFaultProxy({ targetPort: port })));
  const urls = fronts.map(({ port }) => `http://127.0.0.1:${port}`);
  const instances = Array.from({ length: options.instances }, (_, index) => {
    // Every other instance prefers another bridge.
    const first = index % urls.length;
    return new AppProcess({
      name: `instance ${index}`,
      settings: {
        bridgeUrls: [...urls.slice(first), ...urls.slice(0, first)],
        secret: SESSION_SECRET,
        bridgeSecret: BRIDGE_SECRET,
        maxStale: options.maxStale,
        timeoutMs: options.timeoutMs,
      },
      onDefect: options.onDefect,
      onLag: options.onLag,
    });
  });
  const stack = new Stack(options, { nodes, bridges, instances, fronts });
  await stack.publishNodes();
  const starts = await Promise.allSettled([...bridges, ...instances].map((each) => each.start()));
  const failure = starts.find((start) => start.status === 'rejected');
  if (failure === undefined) return stack;
  // Whoever does not get it cannot end it.
  await stack[Symbol.asyncDispose]();
  throw failure.reason;
}

async function startNode(index: number, { flags = [], bridges }: StackOptions): Promise<NodeSite> {
  const memcached = await startMemcached({ flags });
  const edges = await Promise.all(
    Array.from({ length: bridges }, () => startFaultProxy({ targetPort: memcached.port })),
  );
  return { index, memcached, edges };
}

async function endNode({ memcached, edges }: NodeSite): Promise<void> {
  memcached.resume();
  await memcached.kill();
  await Promise.all(edges.map((edge) => edge[Symbol.asyncDispose]()));
}
