/** Which faults a run is to have, and when. */
import type { Fault, FaultStep, Shape } from './plan.ts';
import type { Random } from './random.ts';

/** Nothing goes wrong before, so that every session is there. */
export const WARM_MS = 2_000;
/** Between two node faults of the severity `one`: long enough for every bridge to have the node back. */
export const HEAL_MS = 5_000;

/** Of two nodes one is no majority, so bridges must not disagree about them: all see the same faults. */
export function hasMajority({ nodes, bridges }: Pick<Shape, 'nodes' | 'bridges'>): boolean {
  return nodes > 2 || bridges === 1;
}

export function drawFaults(random: Random, shape: Shape, endMs: number): FaultStep[] {
  const faults: FaultStep[] = [];
  let at = WARM_MS + random.between(0, 2_000);
  let beforeMs = 0;
  while (at < endMs) {
    const fault = random.chance(0.7) ? drawNodeFault(random, shape) : drawOtherFault(random, shape);
    // The longer a node was out, the later the last bridge has it back: before that nobody should change the list.
    if (fault.type === 'drain node') at += beforeMs;
    const forMs = random.chance(0.3) ? random.between(50, 1_000) : random.between(500, 12_000);
    faults.push({ kind: 'fault', at, forMs, fault });
    // What does not touch nodes may happen during a node's fault.
    if (random.chance(0.3)) {
      faults.push({
        kind: 'fault',
        at: at + random.between(0, forMs),
        forMs: random.between(50, 3_000),
        fault: drawOtherFault(random, shape),
      });
    }
    at += forMs + HEAL_MS + random.between(0, 4_000);
    beforeMs = forMs;
  }
  return faults;
}

export function drawWildFaults(random: Random, shape: Shape, endMs: number): FaultStep[] {
  return Array.from({ length: 3 + random.below(12) }, () => ({
    kind: 'fault' as const,
    at: random.between(WARM_MS, endMs),
    forMs: random.between(50, 15_000),
    fault: random.chance(0.65) ? drawNodeFault(random, shape) : drawOtherFault(random, shape),
  }));
}

function drawNodeFault(random: Random, shape: Shape): Fault {
  const { nodes, bridges } = shape;
  const node = random.below(nodes);
  const bridge = random.below(bridges);
  const common = { 'kill node': 4, 'stop node': 4, 'fill node': 1, 'evict from node': 1 };
  const isSeenByOne = hasMajority(shape) ? { 'drain node': 1, 'break connection': 2, cut: 5 } : {};
  const type = random.weighted({ 'drain node': 0, 'break connection': 0, cut: 0, ...common, ...isSeenByOne });
  if (type === 'break connection') return { type, bridge, node };
  if (type !== 'cut') return { type, node };
  const isOut = random.chance(0.5);
  const [from, to] = isOut ? [`bridge ${bridge}`, `node ${node}`] : [`node ${node}`, `bridge ${bridge}`];
  return { type, from, to };
}

export function drawOtherFault(random: Random, { bridges, instances }: Shape): Fault {
  const bridge = random.below(bridges);
  const instance = random.below(instances);
  const type = random.weighted({
    'kill bridge': 3,
    'stall bridge': 2,
    'restart instance': 3,
    'stall instance': 1,
    'set clock': 2,
    cut: 3,
  });
  switch (type) {
    case 'kill bridge':
    case 'stall bridge':
      return { type, bridge };
    case 'restart instance':
    case 'stall instance':
      return { type, instance };
    case 'set clock': {
      const who = random.chance(0.7) ? 'instance' : 'bridge';
      const byMs = Math.round(random.between(-600_000, 600_000));
      return { type, who, index: who === 'bridge' ? bridge : instance, byMs };
    }
    case 'cut': {
      const ends = [`instance ${instance}`, `bridge ${bridge}`] as const;
      const [from, to] = random.chance(0.5) ? ends : ([ends[1], ends[0]] as const);
      return { type, from, to };
    }
  }
}
