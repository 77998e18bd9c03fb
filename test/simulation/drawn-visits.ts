/** Who visits whom in a run, and when. */
import type { TaskKind } from '../history/history.ts';
import type { FaultStep, Shape, VisitStep } from './plan.ts';
import type { Random } from './random.ts';

export interface VisitOptions {
  readonly faults: readonly FaultStep[];
  readonly endMs: number;
  readonly habits?: Habits;
}

/** What browsers do, how often they want it confirmed, and how often they never get the answer. */
export interface Habits {
  readonly tasks: Readonly<Record<TaskKind, number>>;
  readonly fresh: number;
  readonly unanswered: number;
  /** The instance that they ask; any, when it is not given. */
  readonly instance?: number;
  /** Fewest bursts of visits. */
  readonly bursts: number;
}

const USUAL: Habits = {
  tasks: { read: 40, save: 40, update: 14, destroy: 3, regenerate: 3 },
  fresh: 0.2,
  unanswered: 0.03,
  bursts: 25,
};

/** Cookies are often older than what is stored, also those of sessions that were ended. */
export const FORGETFUL: Habits = {
  tasks: { read: 45, save: 30, update: 12, destroy: 10, regenerate: 3 },
  fresh: 0.5,
  unanswered: 0.2,
  bursts: 40,
};

/** Visits come in bursts, every other one of them where a fault begins or ends. */
export function drawVisits(
  random: Random,
  { browsers, instances }: Shape,
  { faults, endMs, habits = USUAL }: VisitOptions,
): VisitStep[] {
  const edges = faults.flatMap(({ at, forMs }) => [at, at + forMs, at + 1_000, at + forMs + 1_000]);
  const visits: VisitStep[] = [];
  const bursts = Array.from({ length: habits.bursts + random.below(25) }, () => {
    if (edges.length > 0 && random.chance(0.5)) return random.pick(edges) + random.between(-100, 400);
    return random.between(0, endMs);
  }).toSorted((a, b) => a - b);
  for (const time of bursts) {
    const browser = random.below(browsers);
    for (let left = 1 + random.below(4); left > 0; left -= 1) {
      const at = Math.min(Math.max(0, time + random.between(0, random.pick([1, 20, 600]))), endMs);
      visits.push(drawVisit(random, { at, browser, instances, habits, number: visits.length }));
    }
  }
  return visits;
}

export interface Span {
  readonly at: number;
  readonly forMs: number;
}

export interface StayOptions extends Span {
  readonly browser: number;
  readonly habits: Partial<Habits>;
}

/** One to three visits of a browser in this time. */
export function drawStay(random: Random, { instances }: Shape, options: StayOptions): VisitStep[] {
  const { at, forMs, browser } = options;
  const habits = { ...FORGETFUL, ...options.habits };
  return Array.from({ length: 1 + random.below(3) }, (_, index) => {
    const when = at + random.between(0, forMs);
    return drawVisit(random, { at: when, browser, instances, habits, number: index });
  });
}

function drawVisit(random: Random, { at, browser, instances, habits, number }: VisitParts): VisitStep {
  return {
    kind: 'visit',
    at,
    browser,
    instance: habits.instance ?? random.below(instances),
    task: random.weighted(habits.tasks),
    isFresh: random.chance(habits.fresh),
    nonce: number.toString(36),
    answerMs: random.chance(habits.unanswered) ? null : random.between(0.1, random.pick([2, 2, 50])),
  };
}

interface VisitParts {
  readonly at: number;
  readonly browser: number;
  readonly instances: number;
  readonly habits: Habits;
  /** Names what it writes. */
  readonly number: number;
}
