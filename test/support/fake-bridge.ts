/** A store over nodes in memory: one or several bridges that share them. */
import { Cluster } from '../../packages/bridge/src/cluster.ts';
import type { Transition } from '../../packages/bridge/src/health.ts';
import type { NodeEntry } from '../../packages/bridge/src/node-list.ts';
import type { MemcachedNode } from '../../packages/bridge/src/node.ts';
import type { StoreEvent } from '../../packages/bridge/src/observer.ts';
import { type SaveRequest, type SaveResult, SessionStore } from '../../packages/bridge/src/store.ts';
import { rank } from '../../packages/bridge/src/placement.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeNode } from './fake-node.ts';

export const APP = 'shop';

export interface FakeBridge {
  readonly cluster: Cluster;
  readonly store: SessionStore;
  readonly transitions: Transition[];
  readonly counts: Map<StoreEvent, number>;
}

export interface FakeSetup {
  readonly clock: FakeClock;
  readonly nodes: readonly FakeNode[];
  /** Starts another bridge over the same nodes. `cutOff`: nodes that it cannot reach, changeable at any time. */
  bridge(cutOff?: ReadonlySet<number>): Promise<FakeBridge>;
}

export function setUpNodes(count: number): FakeSetup {
  const clock = new FakeClock();
  const nodes = Array.from({ length: count }, (_, index) => new FakeNode(index, clock));
  return { clock, nodes, bridge: (cutOff = new Set()) => startBridge({ clock, nodes, cutOff }) };
}

/** Each bridge draws its own numbers. */
let seeds = 0;

async function startBridge(setup: {
  clock: FakeClock;
  nodes: readonly FakeNode[];
  cutOff: ReadonlySet<number>;
}): Promise<FakeBridge> {
  const { clock, nodes, cutOff } = setup;
  const transitions: Transition[] = [];
  const counts = new Map<StoreEvent, number>();
  const entries: NodeEntry[] = nodes.map(({ index }) => ({
    index,
    host: 'fake',
    port: index + 1,
    state: 'active',
  }));
  const random = pseudoRandom((seeds += 1));
  const cluster = new Cluster(
    {
      clock,
      random,
      wallClock: () => 1_000_000 + clock.now(),
      lagMs: () => 0,
      lossGraceMs: 30_000,
      createNode: ({ index }) => severable(nodes[index] ?? new FakeNode(index, clock), cutOff),
      onTransition: (transition) => transitions.push(transition),
    },
    entries,
  );
  const observer = { count: (event: StoreEvent) => counts.set(event, (counts.get(event) ?? 0) + 1) };
  const store = new SessionStore({ cluster, clock, copies: 2, nodeTimeoutMs: 250, observer });
  await cluster.settled();
  return { cluster, store, transitions, counts };
}

/** The node as one bridge sees it: as good as gone while it is cut off. */
function severable(node: FakeNode, cutOff: ReadonlySet<number>): MemcachedNode {
  const unreachable = new FakeNode(node.index, { now: () => 0, after: () => () => {} });
  unreachable.fault = 'unreachable';
  return new Proxy(node, {
    get: (target, property) => {
      const side = cutOff.has(node.index) ? unreachable : target;
      const value: unknown = Reflect.get(side, property, side);
      return typeof value === 'function' ? value.bind(side) : value;
    },
  });
}

function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** An id whose first nodes are these, of `count` nodes. */
export function idWithRank(first: readonly number[], count: number): string {
  const indexes = Array.from({ length: count }, (_, index) => index);
  for (let number = 0; ; number += 1) {
    // Spread over the digits that the rank looks at.
    const id = ((BigInt(number) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn)
      .toString(16)
      .padStart(16, '0')
      .toUpperCase()
      .padEnd(32, '0');
    const order = rank(id, indexes);
    if (first.every((index, position) => order[position] === index)) return id;
  }
}

/** Saves a text as the record of a session. */
export function save(
  { store }: FakeBridge,
  fields: { id: string; index?: number | null; version: number; base: number | null; text?: string },
): Promise<SaveResult> {
  const { id, index = null, version, base, text = `record ${version}` } = fields;
  const request: SaveRequest = {
    app: APP,
    ref: { id, index },
    version,
    base,
    ttlSeconds: 86_400,
    record: Buffer.from(text),
  };
  return store.save(request);
}

/** Reads a session: its text and version, or how it ended. */
export async function read(
  { store }: FakeBridge,
  fields: { id: string; index?: number | null; floor?: number | null },
): Promise<string> {
  const { id, index = null, floor = null } = fields;
  const result = await store.read({ app: APP, ref: { id, index }, floor, ttlSeconds: null });
  return result.kind === 'found' ? `${result.record.toString()} @${result.home}` : result.kind;
}

export function destroy({ store }: FakeBridge, id: string): Promise<unknown> {
  return store.destroy({ app: APP, ref: { id, index: null }, ttlSeconds: 86_400 });
}
