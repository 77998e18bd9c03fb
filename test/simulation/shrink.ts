/** Cuts a failing plan down to what it needs to fail. */
import { QUIET } from './network.ts';
import type { Plan, Step } from './plan.ts';

export interface ShrinkOptions {
  /** Whether the plan still fails in the same way. */
  readonly fails: (plan: Plan) => Promise<boolean>;
  /** Runs at most. */
  readonly mostRuns: number;
}

/** A plan that fails like the given one, with no more steps and no more noise. */
export async function shrink(plan: Plan, { fails, mostRuns }: ShrinkOptions): Promise<Plan> {
  let runs = 0;
  let best = plan;
  const accept = async (candidate: Plan): Promise<boolean> => {
    if (runs >= mostRuns) return false;
    runs += 1;
    if (!(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  if (!(await accept({ ...best, noise: QUIET }))) {
    for (const kind of Object.keys(QUIET)) await accept({ ...best, noise: { ...best.noise, [kind]: 0 } });
  }
  for (
    let size = Math.ceil(best.steps.length / 2);
    size >= 1 && runs < mostRuns;
    size = Math.floor(size / 2)
  ) {
    // Backwards: what came late is most often needless, and what came early is where the others stand on.
    for (let end = best.steps.length; end > 0 && runs < mostRuns; end -= size) {
      await accept({ ...best, steps: without(best.steps, Math.max(0, end - size), end) });
    }
  }
  const last = best.steps.at(-1)?.at ?? 0;
  await accept({ ...best, endMs: last + 2_000 });
  return best;
}

function without(steps: readonly Step[], from: number, to: number): Step[] {
  return [...steps.slice(0, from), ...steps.slice(to)];
}
