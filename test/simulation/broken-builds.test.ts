/** The checker is checked: every build that is broken on purpose must be caught by some seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROKEN_BUILDS, type BrokenBuild } from './broken-builds.ts';
import { drawPlan, type Plan } from './plan.ts';
import { runPlan } from './run.ts';

/** A build that none of so many seeds shows is not caught. */
const MOST_SEEDS = 80;

// Errors are values here, and nobody reads where they were made.
Error.stackTraceLimit = 0;

/** The first seed that breaks what this build must break. */
async function findSeed(build: BrokenBuild): Promise<number | null> {
  const { breaks, mutation = {}, apply } = build;
  const mend = apply?.();
  try {
    for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
      const { violations } = await runPlan(planOf(build, seed), { mutation });
      if (violations.some(({ check }) => breaks.includes(check))) return seed;
    }
    return null;
  } finally {
    mend?.();
  }
}

function planOf({ severity, change }: BrokenBuild, seed: number): Plan {
  const drawn = drawPlan(seed, severity);
  return change?.(drawn) ?? drawn;
}

for (const build of BROKEN_BUILDS) {
  test(`caught: ${build.name}`, async () => {
    const seed = await findSeed(build);
    assert.notEqual(seed, null, `${MOST_SEEDS} seeds break nothing`);
    if (seed === null) return;
    const { violations } = await runPlan(planOf(build, seed));
    assert.deepEqual(violations, [], 'the same plan breaks nothing in the real build');
  });
}
