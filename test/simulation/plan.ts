/** What happens in a run, drawn from its seed: who visits when, what breaks when. A plan can be cut down and run again. */
import type { TaskKind } from '../history/history.ts';
import { type Noise, QUIET } from './network.ts';
import { Random } from './random.ts';

export type Fault =
  | {
      readonly type: 'kill node' | 'stop node' | 'fill node' | 'evict from node' | 'drain node';
      readonly node: number;
    }
  | { readonly type: 'kill bridge' | 'stall bridge'; readonly bridge: number }
  | { readonly type: 'restart instance' | 'stall instance'; readonly instance: number }
  | {
      readonly type: 'set clock';
      readonly who: 'bridge' | 'instance';
      readonly index: number;
      readonly byMs: number;
    }
  | { readonly type: 'break connection'; readonly bridge: number; readonly node: number }
  | { readonly type: 'cut'; readonly from: string; readonly to: string };

export interface FaultStep {
  readonly kind: 'fault';
  readonly at: number;
  /** When it ends, where it has an end. */
  readonly forMs: number;
  readonly fault: Fault;
}

export interface VisitStep {
  readonly kind: 'visit';
  readonly at: number;
  readonly browser: number;
  readonly instance: number;
  readonly task: TaskKind;
  readonly isFresh: boolean;
  /** Names what it writes. */
  readonly nonce: string;
  /** Milliseconds until the browser has the answer; null when it never gets it. */
  readonly answerMs: number | null;
}

export type Step = FaultStep | VisitStep;

/**
 * `one`: at most one node or link to a node is at fault at a time, and what the design promises must hold to
 * the letter. `wild`: anything at any time, and only what nothing may ever break is checked.
 */
export type Severity = 'one' | 'wild';

export interface Plan {
  readonly seed: number;
  readonly severity: Severity;
  readonly nodes: number;
  readonly bridges: number;
  readonly instances: number;
  readonly browsers: number;
  readonly maxStaleMs: number;
  readonly noise: Noise;
  /** When the last step has been made, milliseconds. */
  readonly endMs: number;
  readonly steps: readonly Step[];
}

/** Nothing goes wrong before, so that every session is there. */
const WARM_MS = 2_000;
/** Between two node faults of the severity `one`: long enough for every bridge to have the node back. */
const HEAL_MS = 5_000;

export function drawPlan(seed: number, severity?: Severity): Plan {
  const random = new Random(seed);
  const drawn: Severity = random.chance(0.75) ? 'one' : 'wild';
  const sizes = {
    severity: severity ?? drawn,
    nodes: random.weighted({ '3': 6, '4': 2, '5': 1, '2': 1 }),
    bridges: random.weighted({ '2': 4, '1': 1, '3': 1 }),
    instances: 2 + random.below(3),
    browsers: 2 + random.below(4),
    maxStaleMs: random.pick([0, 0, 1_000, 5_000]),
  };
  const shape = { ...sizes, nodes: Number(sizes.nodes), bridges: Number(sizes.bridges) };
  const endMs = random.between(15_000, 40_000);
  const faults =
    shape.severity === 'one' ? drawFaults(random, shape, endMs) : drawWildFaults(random, shape, endMs);
  const visits = drawVisits(random, shape, faults, endMs);
  const steps = [...faults, ...visits].toSorted((a, b) => a.at - b.at);
  const noise = drawNoise(random, shape.severity);
  return {
    seed,
    ...shape,
    noise: hasMajority(shape) ? noise : { ...QUIET, duplicate: noise.duplicate },
    endMs,
    steps,
  };
}

type Shape = Pick<Plan, 'severity' | 'nodes' | 'bridges' | 'instances' | 'browsers'>;

/** Of two nodes one is no majority, so bridges must not disagree about them: all see the same faults. */
function hasMajority({ nodes, bridges }: Pick<Plan, 'nodes' | 'bridges'>): boolean {
  return nodes > 2 || bridges === 1;
}

function drawNoise(random: Random, severity: Severity): Noise {
  if (random.chance(0.4)) return QUIET;
  const most = severity === 'wild' ? 0.03 : 0.01;
  const rate = (share: number): number => (random.chance(share) ? random.between(0, most) : 0);
  return {
    lose: rate(0.5),
    hold: rate(0.5),
    duplicate: rate(0.7) * 5,
    reset: rate(0.3) / 4,
    mixUp: severity === 'wild' ? rate(0.2) : 0,
  };
}

function drawFaults(random: Random, shape: Shape, endMs: number): FaultStep[] {
  const faults: FaultStep[] = [];
  let at = WARM_MS + random.between(0, 2_000);
  while (at < endMs) {
    const fault = random.chance(0.7) ? drawNodeFault(random, shape) : drawOtherFault(random, shape);
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
  }
  return faults;
}

function drawWildFaults(random: Random, shape: Shape, endMs: number): FaultStep[] {
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

function drawOtherFault(random: Random, { bridges, instances }: Shape): Fault {
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

/** Visits come in bursts, every other one of them where a fault begins or ends. */
function drawVisits(
  random: Random,
  { browsers, instances }: Shape,
  faults: readonly FaultStep[],
  endMs: number,
): VisitStep[] {
  const edges = faults.flatMap(({ at, forMs }) => [at, at + forMs, at + 1_000, at + forMs + 1_000]);
  const visits: VisitStep[] = [];
  const bursts = Array.from({ length: 25 + random.below(25) }, () => {
    if (edges.length > 0 && random.chance(0.5)) return random.pick(edges) + random.between(-100, 400);
    return random.between(0, endMs);
  }).toSorted((a, b) => a - b);
  for (const time of bursts) {
    const browser = random.below(browsers);
    for (let left = 1 + random.below(4); left > 0; left -= 1) {
      const at = Math.min(Math.max(0, time + random.between(0, random.pick([1, 20, 600]))), endMs);
      visits.push({
        kind: 'visit',
        at,
        browser,
        instance: random.below(instances),
        task: random.weighted({ read: 40, save: 40, update: 14, destroy: 3, regenerate: 3 }),
        isFresh: random.chance(0.2),
        nonce: visits.length.toString(36),
        answerMs: random.chance(0.03) ? null : random.between(0.1, random.pick([2, 2, 50])),
      });
    }
  }
  return visits;
}
