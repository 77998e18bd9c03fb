/** One line of the table: what was measured, against what, and whether the goal is met. */
import { type Goal, type Sample, type Spread, spreadOf } from './measure.ts';

/** A number with the unit it is printed in. */
export interface Quantity {
  readonly value: number;
  readonly unit: string;
}

export type Verdict = 'met' | 'missed' | 'reported' | 'not measured';

export interface Line {
  readonly what: string;
  readonly against: string;
  readonly ours: Quantity | null;
  readonly theirs: Quantity | null;
  /** What is compared with the goal; its lowest, middle and highest of all rounds. */
  readonly result: Spread | null;
  /** Printed behind the result, e.g. `×`. */
  readonly resultUnit: string;
  /** Ours divided by theirs, of the processor time of one request. */
  readonly cpuRatio: number | null;
  readonly goal: string;
  readonly verdict: Verdict;
  /** What one must know to read the numbers, or why there are none. */
  readonly note: string;
  /** All rounds, for the JSON. */
  readonly rounds: Readonly<Record<string, readonly Sample[]>>;
}

export interface Comparison {
  readonly what: string;
  readonly against: string;
  readonly unit: string;
  readonly ours: readonly Sample[];
  readonly theirs: readonly Sample[];
  /** `ours / theirs` where more is better, `theirs / ours` where the result says how many times faster. */
  readonly ratio?: 'ours / theirs' | 'theirs / ours';
  /** Without one the result is only reported. */
  readonly goal?: Goal;
  readonly note?: string;
}

/** Compares round by round: what troubled one of a round's contestants troubled the other one too. */
export function compare(comparison: Comparison): Line {
  const { what, against, unit, ours, theirs, ratio = 'ours / theirs', goal, note = '' } = comparison;
  const ratios = pair(ours, theirs, ({ value }) => value).map((quotient) =>
    ratio === 'ours / theirs' ? quotient : 1 / quotient,
  );
  const result = spreadOf(ratios);
  const cpuRatios = pair(ours, theirs, ({ cpuMicros }) => cpuMicros);
  return {
    what,
    against,
    ours: { value: middle(ours), unit },
    theirs: { value: middle(theirs), unit },
    result,
    resultUnit: '×',
    cpuRatio: cpuRatios.length === 0 ? null : spreadOf(cpuRatios).median,
    goal: goal?.text ?? 'reported',
    verdict: judge(result.median, goal),
    note,
    rounds: { ours, theirs },
  };
}

export interface Statement {
  readonly what: string;
  readonly against?: string;
  readonly unit: string;
  readonly samples: readonly Sample[];
  readonly goal?: Goal;
  readonly note?: string;
}

/** A number by itself. */
export function state({ what, against = '–', unit, samples, goal, note = '' }: Statement): Line {
  const result = spreadOf(samples.map(({ value }) => value));
  return {
    what,
    against,
    ours: { value: result.median, unit },
    theirs: null,
    result,
    resultUnit: unit,
    cpuRatio: null,
    goal: goal?.text ?? 'reported',
    verdict: judge(result.median, goal),
    note,
    rounds: { ours: samples },
  };
}

/** A line without numbers; it is printed all the same. */
export function notMeasured(
  what: string,
  against: string,
  { goal, why }: { goal?: Goal; why: string },
): Line {
  const nothing = { ours: null, theirs: null, result: null, resultUnit: '', cpuRatio: null, rounds: {} };
  return { what, against, ...nothing, goal: goal?.text ?? 'reported', verdict: 'not measured', note: why };
}

function judge(value: number, goal: Goal | undefined): Verdict {
  if (goal === undefined) return 'reported';
  return goal.isMet(value) ? 'met' : 'missed';
}

function middle(samples: readonly Sample[]): number {
  return spreadOf(samples.map(({ value }) => value)).median;
}

/** Quotients of what both have in the same round. */
function pair(
  ours: readonly Sample[],
  theirs: readonly Sample[],
  pick: (sample: Sample) => number | null,
): number[] {
  return ours.flatMap((sample, round) => {
    const other = theirs[round];
    const [mine, yours] = [pick(sample), other === undefined ? null : pick(other)];
    return mine === null || yours === null || yours === 0 ? [] : [mine / yours];
  });
}
