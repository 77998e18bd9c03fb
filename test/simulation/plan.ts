/** What happens in a run, drawn from its seed: who visits when, what breaks when. A plan can be cut down and run again. */
import type { TaskKind } from '../history/history.ts';
import { drawLapse, drawReturns } from './drawn-cases.ts';
import { drawFaults, drawWildFaults, hasMajority } from './drawn-faults.ts';
import { drawVisits, FORGETFUL } from './drawn-visits.ts';
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
 * - `one`: at most one node or link to a node is at fault at a time.
 * - `wild`: anything at any time.
 * - `return`: a node comes back with what it had, another one loses its memory, and a third one is silent.
 * - `idle`: as `one`, with sessions that end while nobody uses them, and logouts that are forgotten.
 * - `lapse`: two nodes are silent for so long that their memory counts as lost, and come back with it.
 */
export type Severity = (typeof SEVERITIES)[number];

export const SEVERITIES = ['one', 'wild', 'return', 'lapse', 'idle'] as const;

export interface Plan {
  readonly seed: number;
  readonly severity: Severity;
  readonly nodes: number;
  readonly bridges: number;
  readonly instances: number;
  readonly browsers: number;
  readonly maxStaleMs: number;
  /** For how long a session is kept that nobody uses. */
  readonly ttlSeconds: number;
  readonly noise: Noise;
  /** When the last step has been made, milliseconds. */
  readonly endMs: number;
  readonly steps: readonly Step[];
}

/** How many of all plans are of the severities that lead up to one case. */
const SHARE_OF_RETURN = 0.08;
const SHARE_OF_LAPSE = 0.04;
const SHARE_OF_IDLE = 0.04;
/** Longer than a run. */
const TTL_SECONDS = 3_600;

export function drawPlan(seed: number, severity: Severity = drawSeverity(seed)): Plan {
  const random = new Random(seed);
  // Drawn as before, so that what a seed of these severities plays stays the same.
  random.next();
  const sizes = {
    severity,
    nodes: random.weighted({ '3': 6, '4': 2, '5': 1, '2': 1 }),
    bridges: random.weighted({ '2': 4, '1': 1, '3': 1 }),
    instances: 2 + random.below(3),
    browsers: 2 + random.below(4),
    maxStaleMs: random.pick([0, 0, 1_000, 5_000]),
  };
  const shape = {
    ...sizes,
    nodes: Number(sizes.nodes),
    bridges: Number(sizes.bridges),
    ttlSeconds: TTL_SECONDS,
  };
  if (severity === 'idle') return drawIdle(random, seed, shape);
  if (severity === 'return' || severity === 'lapse') return drawCase(random, seed, { ...shape, severity });
  const endMs = random.between(15_000, 40_000);
  const faults = severity === 'one' ? drawFaults(random, shape, endMs) : drawWildFaults(random, shape, endMs);
  const visits = drawVisits(random, shape, { faults, endMs });
  const noise = drawNoise(random, severity);
  return {
    seed,
    ...shape,
    noise: hasMajority(shape) ? noise : { ...QUIET, duplicate: noise.duplicate },
    endMs,
    steps: inOrder([...faults, ...visits]),
  };
}

function drawSeverity(seed: number): Severity {
  const share = new Random(seed, 2).next();
  if (share < SHARE_OF_RETURN) return 'return';
  if (share < SHARE_OF_RETURN + SHARE_OF_LAPSE) return 'lapse';
  if (share > 1 - SHARE_OF_IDLE) return 'idle';
  return new Random(seed).chance(0.75) ? 'one' : 'wild';
}

/** A plan that leads up to one case: at least three nodes, and browsers that often ask with old cookies. */
function drawCase(
  random: Random,
  seed: number,
  drawn: Shape & Pick<Plan, 'maxStaleMs' | 'ttlSeconds'>,
): Plan {
  const shape = { ...drawn, nodes: Math.max(3, drawn.nodes), maxStaleMs: random.pick([0, 5_000]) };
  const { faults, visits, endMs } =
    shape.severity === 'return' ? drawReturns(random, shape) : drawLapse(random, shape);
  const isNoisy = random.chance(0.3);
  const noise = isNoisy ? drawNoise(random, 'one') : QUIET;
  return { seed, ...shape, noise, endMs, steps: inOrder([...faults, ...visits]) };
}

/** Short lifetimes, long runs, and cookies that are older than what is stored. */
function drawIdle(random: Random, seed: number, drawn: Shape & Pick<Plan, 'maxStaleMs'>): Plan {
  const shape = { ...drawn, maxStaleMs: random.pick([0, 1_000]), ttlSeconds: 8 + random.below(12) };
  const endMs = random.between(60_000, 120_000);
  // What a cookie carries ends by the clocks, which may be wrong by more than these lifetimes.
  const faults = drawFaults(random, shape, endMs).filter(({ fault }) => fault.type !== 'set clock');
  const habits = { ...FORGETFUL, bursts: 80 };
  const visits = drawVisits(random, shape, { faults, endMs, habits });
  const { duplicate, ...noise } = drawNoise(random, 'one');
  return {
    seed,
    ...shape,
    noise: hasMajority(shape) ? { ...noise, duplicate } : { ...QUIET, duplicate },
    endMs,
    steps: inOrder([...faults, ...visits]),
  };
}

function inOrder(steps: readonly Step[]): Step[] {
  return steps.toSorted((a, b) => a.at - b.at);
}

export type Shape = Pick<Plan, 'severity' | 'nodes' | 'bridges' | 'instances' | 'browsers'>;

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
