/** Plans in which one thing goes wrong and nothing else, so that what protects from it is needed. */
import { QUIET } from './network.ts';
import type { FaultStep, Plan, Step, VisitStep } from './plan.ts';
import { LOSS_GRACE_MS } from './sim-bridge.ts';

const CUT_AT_MS = 3_000;

/** For some seconds one bridge sees node 2 only, and another one the other two. */
export function divided(plan: Plan): Plan {
  const forMs = 10_000;
  return setUp(plan, [...visitsOf(plan), cut(0, 0, forMs), cut(0, 1, forMs), cut(1, 2, forMs)]);
}

/** One bridge is cut off from all nodes for longer than the grace; browsers come through it when it has the first back. */
export function cutOff(plan: Plan): Plan {
  const forMs = LOSS_GRACE_MS + 10_000;
  const longerMs = forMs + 3_000;
  const visits = Array.from({ length: plan.browsers }, (_, browser): VisitStep[] => {
    const visit = visitBy(browser);
    const reads = Array.from({ length: 10 }, (_each, number): VisitStep => {
      return { ...visit, at: CUT_AT_MS + forMs + browser * 20 + number * 100, task: 'read', instance: 0 };
    });
    return [{ ...visit, at: 1_000 + browser, task: 'save', instance: 1 }, ...reads];
  });
  return setUp(plan, [...visits.flat(), cut(0, 0, longerMs), cut(0, 1, longerMs), cut(0, 2, forMs)]);
}

/**
 * One bridge is cut off from a node for longer than the grace, and another one goes on using it. Soon after the end of
 * that one more node loses its memory, and browsers come through the first bridge before it has the node back.
 */
export function givenUp(plan: Plan): Plan {
  const forMs = LOSS_GRACE_MS + 20_000;
  const endsAt = CUT_AT_MS + forMs;
  const visits = Array.from({ length: plan.browsers }, (_, browser): VisitStep[] => {
    const visit = visitBy(browser);
    return [
      { ...visit, at: endsAt - 10_000 + browser, task: 'save', instance: 1 },
      { ...visit, at: endsAt + 700 + browser, task: 'read', instance: 0 },
    ];
  });
  const kill = {
    kind: 'fault',
    at: endsAt + 500,
    forMs: 5_000,
    fault: { type: 'kill node', node: 1 },
  } as const;
  return setUp(plan, [...visits.flat(), cut(0, 0, forMs), kill]);
}

/**
 * One bridge is cut off from two nodes for longer than the grace. Browsers begin a session through it, use it through
 * the other one, and log out through it; they do not get the answer, and use the session through the other one again.
 */
export function leftOut(plan: Plan): Plan {
  const forMs = 2 * LOSS_GRACE_MS;
  const visits = Array.from({ length: plan.browsers }, (_, browser): VisitStep[] => {
    const at = CUT_AT_MS + LOSS_GRACE_MS + 5_000 + browser * 1_000;
    const visit = visitBy(browser);
    return [
      { ...visit, at, task: 'save', instance: 0 },
      { ...visit, at: at + 200, task: 'read', instance: 1 },
      { ...visit, at: at + 400, task: 'destroy', instance: 0, answerMs: null },
      { ...visit, at: at + 600, task: 'read', instance: 1 },
    ];
  });
  return setUp(plan, [...visits.flat(), cut(0, 0, forMs), cut(0, 1, forMs)]);
}

function setUp(plan: Plan, steps: readonly Step[]): Plan {
  const inOrder = steps.toSorted((a, b) => a.at - b.at);
  const endMs = Math.max(...steps.map((step) => step.at + (step.kind === 'fault' ? step.forMs : 0)));
  // Each instance has a bridge of its own to begin with.
  return { ...plan, nodes: 3, bridges: 2, instances: 2, noise: QUIET, endMs, steps: inOrder };
}

/** Confirmed, and answered at once. */
function visitBy(browser: number): Omit<VisitStep, 'at' | 'task' | 'instance'> {
  return { kind: 'visit', browser, isFresh: true, nonce: browser.toString(36), answerMs: 1 };
}

function visitsOf({ steps }: Plan): Step[] {
  return steps.filter(({ kind }) => kind === 'visit');
}

function cut(bridge: number, node: number, forMs: number): FaultStep {
  const fault = { type: 'cut', from: `bridge ${bridge}`, to: `node ${node}` } as const;
  return { kind: 'fault', at: CUT_AT_MS, forMs, fault };
}
