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
export async function shrink(plan: Plan, options: ShrinkOptions): Promise<Plan> {
  const shrinking = new Shrinking(plan, options);
  await shrinking.dropNoise();
  await shrinking.dropSteps();
  const last = shrinking.best.steps.at(-1)?.at ?? 0;
  await shrinking.accept({ ...shrinking.best, endMs: last + 2_000 });
  return shrinking.best;
}

class Shrinking {
  best: Plan;
  readonly #options: ShrinkOptions;
  #runs = 0;

  constructor(plan: Plan, options: ShrinkOptions) {
    this.best = plan;
    this.#options = options;
  }

  /** Goes on with the candidate when it fails too. */
  async accept(candidate: Plan): Promise<boolean> {
    if (this.#isSpent) return false;
    this.#runs += 1;
    if (!(await this.#options.fails(candidate))) return false;
    this.best = candidate;
    return true;
  }

  async dropNoise(): Promise<void> {
    if (await this.accept({ ...this.best, noise: QUIET })) return;
    for (const kind of Object.keys(QUIET))
      await this.accept({ ...this.best, noise: { ...this.best.noise, [kind]: 0 } });
  }

  async dropSteps(): Promise<void> {
    let size = Math.ceil(this.best.steps.length / 2);
    while (size >= 1 && !this.#isSpent) {
      // Backwards: what came late is most often needless, and what came early is where the others stand on.
      for (let end = this.best.steps.length; end > 0; end -= size) {
        const steps = without(this.best.steps, Math.max(0, end - size), end);
        await this.accept({ ...this.best, steps });
      }
      size = Math.floor(size / 2);
    }
  }

  get #isSpent(): boolean {
    return this.#runs >= this.#options.mostRuns;
  }
}

function without(steps: readonly Step[], from: number, to: number): Step[] {
  return [...steps.slice(0, from), ...steps.slice(to)];
}
