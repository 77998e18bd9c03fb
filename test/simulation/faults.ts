/** Carries out a plan's faults, and works out what the nodes have lost by them. */
import type { NodeEntry } from '../../packages/bridge/src/node-list.ts';
import { LapseWatch } from './lapse.ts';
import type { Fault, FaultStep } from './plan.ts';
import { sessionOf, type World } from './world.ts';

/** Plans all faults of the world's plan. */
export function planFaults(world: World): void {
  const { scheduler, plan } = world;
  const lapses = new LapseWatch(world);
  for (const step of plan.steps) {
    if (step.kind !== 'fault') continue;
    scheduler.after(step.at - scheduler.now, () => begin(world, step));
    const { fault, forMs } = step;
    if (fault.type === 'stop node')
      scheduler.after(step.at - scheduler.now, () => lapses.silenced(fault.node, forMs));
  }
}

function begin(world: World, { fault, forMs }: FaultStep): void {
  const heal = inject(world, fault, forMs);
  world.note('fault', `${describeFault(fault)}${heal === null ? '' : ` for ${Math.round(forMs)} ms`}`);
  if (heal === null) return;
  world.scheduler.after(forMs, () => {
    heal();
    world.note('fault', `over: ${describeFault(fault)}`);
  });
}

/** Starts it; gives what ends it, or null when it has no end of its own. */
function inject(world: World, fault: Fault, forMs: number): (() => void) | null {
  const { bridges, instances, network, random } = world;
  switch (fault.type) {
    case 'kill node':
    case 'stop node':
    case 'fill node':
    case 'evict from node':
    case 'drain node':
      return breakNode(world, fault.type, { index: fault.node, forMs });
    case 'break connection':
      bridges[fault.bridge]?.breakConnections(fault.node);
      return null;
    case 'cut':
      return network.cut(fault.from, fault.to);
    case 'kill bridge':
      bridges[fault.bridge]?.kill();
      return () => {
        const bridge = bridges[fault.bridge];
        if (bridge?.machine.isAlive === false) bridge.start(world.list);
      };
    case 'stall bridge':
      bridges[fault.bridge]?.stall(forMs);
      return () => {};
    case 'restart instance':
      instances[fault.instance]?.restart();
      return null;
    case 'stall instance':
      instances[fault.instance]?.machine.stall(Math.min(forMs, 1_000) * random.next());
      return null;
    case 'set clock': {
      const target = fault.who === 'bridge' ? bridges[fault.index] : instances[fault.index];
      if (target !== undefined) target.skewMs += fault.byMs;
      return null;
    }
  }
}

function breakNode(
  world: World,
  type: 'kill node' | 'stop node' | 'fill node' | 'evict from node' | 'drain node',
  { index, forMs }: { readonly index: number; readonly forMs: number },
): (() => void) | null {
  const node = world.nodes[index];
  if (node === undefined) return null;
  switch (type) {
    case 'kill node':
      watchLoss(world, () => killNode(world, index));
      return () => {
        if (!node.machine.isAlive) node.restart();
      };
    case 'stop node':
      node.machine.stall(forMs);
      return () => {};
    case 'fill node':
      node.isFull = true;
      return () => (node.isFull = false);
    case 'evict from node':
      watchLoss(world, () => node.evict(world.random.next(), world.random));
      return null;
    case 'drain node':
      setState(world, index, 'draining');
      return () => setState(world, index, 'active');
  }
}

/** Its connections break, as a kernel breaks those of a process that ends; where packets pass, bridges notice. */
function killNode({ nodes, bridges, network }: World, index: number): void {
  const node = nodes[index];
  if (node === undefined || !node.machine.isAlive) return;
  node.kill();
  for (const bridge of bridges) {
    network.carry(node.machine.name, bridge.machine.name, () =>
      bridge.machine.after(0, () => bridge.breakConnections(index)),
    );
  }
}

/** The operator changes the list, and each bridge reads it within a second. */
function setState(world: World, index: number, state: NodeEntry['state']): void {
  world.list = world.list.map((entry) => (entry.index === index ? { ...entry, state } : entry));
  for (const bridge of world.bridges) {
    bridge.machine.after(world.random.between(0, 1_000), () => bridge.applyList(world.list));
  }
}

/** Notes the sessions of which the nodes know less than before. */
function watchLoss(world: World, change: () => void): void {
  const before = newest(world);
  change();
  const after = newest(world);
  for (const [key, version] of before) {
    if ((after.get(key) ?? 0) >= version) continue;
    const session = sessionOf(key);
    world.note('loss', `all copies of ${session} v${version} are lost`, session);
  }
}

/** The highest version that any node holds of each session; a tombstone is above all. */
function newest({ nodes }: World): Map<string, number> {
  const versions = new Map<string, number>();
  for (const node of nodes) {
    for (const [key, { version, value }] of node.sessions()) {
      const rank = value.length === 0 ? Infinity : version;
      versions.set(key, Math.max(versions.get(key) ?? 0, rank));
    }
  }
  return versions;
}

export function describeFault(fault: Fault): string {
  switch (fault.type) {
    case 'kill bridge':
    case 'stall bridge':
      return `${fault.type} ${fault.bridge}`;
    case 'restart instance':
    case 'stall instance':
      return `${fault.type} ${fault.instance}`;
    case 'set clock':
      return `${fault.type} of ${fault.who} ${fault.index} by ${fault.byMs} ms`;
    case 'break connection':
      return `${fault.type} of bridge ${fault.bridge} to node ${fault.node}`;
    case 'cut':
      return `cut ${fault.from} → ${fault.to}`;
    case 'kill node':
    case 'stop node':
    case 'fill node':
    case 'evict from node':
    case 'drain node':
      return `${fault.type} ${fault.node}`;
  }
}
