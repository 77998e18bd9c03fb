/** A bridge's way to one node over the simulated network; stands in for the memjs driver. */
import {
  type Item,
  type MemcachedNode,
  type NewItem,
  NodeError,
  type NodeErrorKind,
  type StoreOutcome,
  type Touched,
} from '../../packages/bridge/src/node.ts';
import type { Machine } from './machine.ts';
import type { Memcached } from './memcached.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';

export interface NodeLinkOptions {
  /** The bridge's process. */
  readonly bridge: Machine;
  readonly node: Memcached;
  readonly network: Network;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly onConnectionLost: () => void;
  readonly trace: (text: string) => void;
  /** The node answers for this key with what belongs to another one. */
  readonly onLie: (key: string) => void;
}

interface Call {
  readonly fail: (kind: NodeErrorKind) => void;
}

export class NodeLink implements MemcachedNode {
  readonly index: number;
  readonly address: string;
  readonly #options: NodeLinkOptions;
  readonly #calls: Set<Call> = new Set();
  #isClosed = false;

  constructor(options: NodeLinkOptions) {
    this.#options = options;
    this.index = options.node.index;
    this.address = options.node.machine.name;
  }

  get inFlight(): number {
    return this.#calls.size;
  }

  gets(key: string, deadlineMs?: number): Promise<Item | null> {
    return this.#run({ name: 'gets', key, deadlineMs, work: (node) => this.#read(node, key) });
  }

  gat(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Item | null> {
    return this.#run({ name: 'gat', key, deadlineMs, work: (node) => node.touch(key, ttlSeconds) });
  }

  touch(key: string, ttlSeconds: number, deadlineMs?: number): Promise<Touched | null> {
    return this.#run({ name: 'touch', key, deadlineMs, work: (node) => node.touch(key, ttlSeconds) });
  }

  add(key: string, item: NewItem, deadlineMs?: number): Promise<StoreOutcome> {
    return this.#run({ name: `add v${item.version}`, key, deadlineMs, work: (node) => node.add(key, item) });
  }

  // Four parameters, because the interface has them.
  cas(key: string, item: NewItem, expected: bigint, deadlineMs?: number): Promise<StoreOutcome> {
    const name = `cas v${item.version}`;
    return this.#run({ name, key, deadlineMs, work: (node) => node.cas(key, item, expected) });
  }

  delete(key: string, expected?: bigint, deadlineMs?: number): Promise<boolean> {
    return this.#run({ name: 'delete', key, deadlineMs, work: (node) => node.delete(key, expected) });
  }

  noop(deadlineMs?: number): Promise<void> {
    return this.#run({ name: 'noop', key: '', deadlineMs, work: () => undefined });
  }

  stats(deadlineMs?: number): Promise<ReadonlyMap<string, string>> {
    return this.#run({ name: 'stats', key: '', deadlineMs, work: () => new Map() });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  /** All connections break: what waits on them is lost, whether it was carried out or not. */
  breakConnections(): void {
    const waiting = [...this.#calls];
    this.#options.onConnectionLost();
    for (const call of waiting) call.fail('closed');
  }

  #read(node: Memcached, key: string): Item | null {
    const { network, random, onLie } = this.#options;
    if (!random.chance(network.noise.mixUp) || !key.includes(':')) return node.gets(key);
    onLie(key);
    return node.getsAnother(key);
  }

  #run<T>({ name, key, deadlineMs, work }: Operation<T>): Promise<T> {
    const { bridge, node, network, random, timeoutMs, trace } = this.#options;
    const label = `${name} ${key}`;
    return new Promise<T>((resolve, reject) => {
      const settle = (end: () => void): void => {
        if (!this.#calls.delete(call)) return;
        cancel();
        end();
      };
      const fail = (kind: NodeErrorKind): void =>
        settle(() => {
          trace(`${bridge.name} ← ${node.machine.name}: ${label} failed: ${kind}`);
          reject(new NodeError(this.index, name, kind));
        });
      const call: Call = { fail };
      this.#calls.add(call);
      const cancel = bridge.after(Math.min(deadlineMs ?? timeoutMs, timeoutMs), () => fail('timeout'));
      if (this.#isClosed) return fail('closed');
      if (random.chance(network.noise.reset))
        bridge.after(random.between(0, 1), () => this.breakConnections());
      const answer = (end: () => void): void =>
        network.carry(node.machine.name, bridge.name, () => bridge.after(0, () => settle(end)));
      const refuse = (): void =>
        network.carry(node.machine.name, bridge.name, () => bridge.after(0, () => fail('refused')));
      const sentTo = node.machine.life;
      network.carry(bridge.name, node.machine.name, () => {
        if (!node.machine.isAlive) return refuse();
        // What was sent to a process that has ended never reaches its successor.
        if (node.machine.life !== sentTo) return;
        node.machine.after(0, () => answer(this.#serve(label, work, { resolve, reject })));
      });
    });
  }

  /** The node carries it out; gives what happens when the answer arrives. */
  #serve<T>(
    label: string,
    work: (node: Memcached) => T,
    { resolve, reject }: { resolve: (result: T) => void; reject: (error: unknown) => void },
  ): () => void {
    const { bridge, node, trace } = this.#options;
    try {
      const result = work(node);
      trace(`${node.machine.name} → ${bridge.name}: ${label} = ${describe(result)}`);
      return () => resolve(result);
    } catch (error) {
      trace(`${node.machine.name} → ${bridge.name}: ${label} = ${String(error)}`);
      return () => reject(error);
    }
  }
}

interface Operation<T> {
  readonly name: string;
  readonly key: string;
  readonly deadlineMs: number | undefined;
  readonly work: (node: Memcached) => T;
}

function describe(result: unknown): string {
  if (typeof result !== 'object' || result === null) return String(result ?? 'nothing');
  if ('reason' in result) return String(result.reason);
  if ('value' in result && 'version' in result && Buffer.isBuffer(result.value)) {
    return result.value.length === 0 ? `tombstone v${String(result.version)}` : `v${String(result.version)}`;
  }
  return 'stored' in result ? 'stored' : 'done';
}
