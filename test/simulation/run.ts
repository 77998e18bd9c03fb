/** A plan's run and what it breaks. */
import { checkHistory, type Violation } from '../history/checker.ts';
import { planFaults } from './faults.ts';
import type { Plan } from './plan.ts';
import { type RunOptions, type RunResult, World } from './world.ts';

export type Verdict = RunResult & { readonly violations: readonly Violation[] };

export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<Verdict> {
  const world = new World(plan, options);
  await world.run(planFaults);
  const { result } = world;
  return { ...result, violations: checkHistory(result.history) };
}
