/** Plans that lead up to one case which plans drawn at random hardly ever meet. */
import { HEAL_MS, WARM_MS } from './drawn-faults.ts';
import { drawStay, drawVisits, FORGETFUL, type Habits, type Span } from './drawn-visits.ts';
import type { FaultStep, Shape, VisitStep } from './plan.ts';
import type { Random } from './random.ts';
import { LOSS_GRACE_MS } from './sim-bridge.ts';

export interface Case {
  readonly faults: readonly FaultStep[];
  readonly visits: readonly VisitStep[];
  readonly endMs: number;
}

/** So long a node may be silent without being put down: a write or two is passed over it, milliseconds. */
const BLINK_MS = 700;
/** How long nodes may be silent beyond the grace, milliseconds. */
const LONGEST_LAPSE_MS = 12_000;
/** By then all bridges use the nodes again, as a rule, milliseconds. */
const LATEST_RETURN_MS = 20_000;
/** How often each browser comes until then. */
const ROUNDS = 5;

const WRITES = { read: 10, save: 70, update: 20, destroy: 0, regenerate: 0 };
const CHANGES = { read: 5, save: 40, update: 20, destroy: 30, regenerate: 5 };

/**
 * A node is silent and the others go on without it; when it is back with what it had, one of the others loses its
 * memory, and the last one, which alone knows what was done meanwhile, is silent. Nobody looks at most of the
 * sessions before, so nothing is repaired, and the browsers' cookies are often from before all that.
 */
export function drawReturns(random: Random, shape: Shape): Case {
  const faults: FaultStep[] = [];
  const visits: VisitStep[] = [];
  let at = WARM_MS;
  for (let round = 2 + random.below(3); round > 0; round -= 1) {
    const [first, second, third] = drawNodes(random, shape);
    const instance = random.below(shape.instances);
    visits.push(...drawCrowd(random, shape, { at, forMs: 1_000, unanswered: 0, tasks: WRITES, instance }));
    at += 1_200;
    // With few requests in a short time the node is not put down, and only the writes that passed over it are known.
    const isBlink = random.chance(0.5);
    const awayMs = isBlink ? random.between(250, BLINK_MS) : random.between(2_000, 8_000);
    faults.push(...silence(random, shape, { node: first, at, forMs: awayMs }));
    const crowd = isBlink ? { ...shape, browsers: 1 } : shape;
    const forMs = isBlink ? 50 : awayMs * 0.9;
    const asked = isBlink ? { instance, fresh: 0 } : {};
    visits.push(...drawCrowd(random, crowd, { at, forMs, unanswered: 0.7, tasks: CHANGES, ...asked }));
    // Long enough for every bridge to have it back, and to have settled what it knows to be in doubt.
    at += awayMs + random.between(HEAL_MS, 2 * HEAL_MS);
    const restartMs = random.between(5, 500);
    const fault = { type: random.chance(0.3) ? 'evict from node' : 'kill node', node: second } as const;
    faults.push({ kind: 'fault', at, forMs: restartMs, fault });
    at += restartMs + random.between(500, 2_500);
    const silentMs = random.between(1_500, 5_000);
    faults.push(...silence(random, shape, { node: third, at, forMs: silentMs }));
    visits.push(...drawCrowd(random, shape, { at, forMs: silentMs, fresh: 0.8 }));
    at += silentMs + HEAL_MS + random.between(0, 3_000);
  }
  return { faults, visits: number(visits), endMs: at };
}

/** Two nodes are silent beyond the grace, and come back with what they had, one soon after the other. */
export function drawLapse(random: Random, shape: Shape): Case {
  const [first, second, third] = drawNodes(random, shape);
  const faults: FaultStep[] = [];
  let at = WARM_MS + 3_000;
  if (random.chance(0.3)) {
    // What the third node knows is older then.
    const awayMs = random.between(250, 4_000);
    faults.push(...silence(random, shape, { node: third, at, forMs: awayMs }));
    at += awayMs + random.between(0, HEAL_MS);
  }
  const before = [
    ...drawCrowd(random, shape, { at: at - 2_000, forMs: 1_000, unanswered: 0, tasks: WRITES }),
    ...drawCrowd(random, shape, { at: at - 900, forMs: 800, unanswered: 0.8, tasks: CHANGES }),
  ];
  const ends = at + LOSS_GRACE_MS + random.between(2_000, LONGEST_LAPSE_MS);
  for (const node of [first, second]) {
    const from = at + random.between(0, random.pick([50, 1_500]));
    const forMs = ends + random.between(0, random.pick([50, 3_000])) - from;
    faults.push({ kind: 'fault', at: from, forMs, fault: { type: 'stop node', node } });
  }
  for (let left = random.below(3); left > 0; left -= 1) {
    const fault = { type: 'restart instance', instance: random.below(shape.instances) } as const;
    faults.push({ kind: 'fault', at: random.between(at, ends), forMs: 0, fault });
  }
  // Bridges have the nodes back at different times, up to half a minute later.
  const endMs = ends + random.between(20_000, 40_000);
  const inIt = drawCrowd(random, shape, { at: at + LOSS_GRACE_MS + 2_000, forMs: ends - at - LOSS_GRACE_MS });
  const others = drawVisits(random, shape, { faults, endMs, habits: FORGETFUL }).filter(
    (visit) => visit.at < at - 2_000 || visit.at > at + LOSS_GRACE_MS,
  );
  // One bridge uses the nodes again and another one does not yet; browsers that got no answer go on with old cookies.
  const after = Array.from({ length: ROUNDS }, (_, round) => {
    const from = ends + (round * LATEST_RETURN_MS) / ROUNDS;
    const habits = { unanswered: 0.7, fresh: 0.8, tasks: CHANGES };
    return drawCrowd(random, shape, { at: from, forMs: LATEST_RETURN_MS / ROUNDS, ...habits });
  });
  return { faults, visits: number([...others, ...before, ...inIt, ...after.flat()]), endMs };
}

/** Every browser comes in this time. */
function drawCrowd(
  random: Random,
  shape: Shape,
  { at, forMs, ...habits }: Span & Partial<Habits>,
): VisitStep[] {
  return Array.from({ length: shape.browsers }, (_, browser) =>
    drawStay(random, shape, { at, forMs, browser, habits }),
  ).flat();
}

/** The visits, each with a name of its own for what it writes. */
function number(visits: readonly VisitStep[]): VisitStep[] {
  return visits.map((visit, index) => ({ ...visit, nonce: index.toString(36) }));
}

function drawNodes(random: Random, { nodes }: Shape): [number, number, number] {
  const left = Array.from({ length: nodes }, (_, index) => index);
  const take = (): number => left.splice(random.below(left.length), 1)[0] ?? 0;
  return [take(), take(), take()];
}

/** The node stands still, or nothing that is sent to it or by it arrives; it keeps what it has. */
function silence(
  random: Random,
  { bridges }: Shape,
  { node, at, forMs }: { readonly node: number; readonly at: number; readonly forMs: number },
): FaultStep[] {
  const step = { kind: 'fault', at, forMs } as const;
  if (random.chance(0.6)) return [{ ...step, fault: { type: 'stop node', node } }];
  const isOut = random.chance(0.5);
  return Array.from({ length: bridges }, (_, bridge) => {
    const [from, to] = isOut ? [`bridge ${bridge}`, `node ${node}`] : [`node ${node}`, `bridge ${bridge}`];
    return { ...step, fault: { type: 'cut', from, to } };
  });
}
