/** The checker is checked: every build that is broken on purpose must be caught by some seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BROKEN_BUILDS, type BrokenBuild } from './broken-builds.ts';
import { drawPlan } from './plan.ts';
import { runPlan } from './run.ts';

/** A build that none of so many seeds shows is not caught. */
const MOST_SEEDS = 80;

// Errors are values here, and nobody reads where they were made.
Error.stackTraceLimit = 0;

/** The first seed that breaks what this build must break. */
async function findSeed({ breaks, mutation = {}, apply, change }: BrokenBuild): Promise<number | null> {
  const mend = apply?.();
  try {
    for (let seed = 1; seed <= MOST_SEEDS; seed += 1) {
      const drawn = drawPlan(seed);
      const { violations } = await runPlan(change?.(drawn) ?? drawn, { mutation });
      if (violations.some(({ check }) => breaks.includes(check))) return seed;
    }
    return null;
  } finally {
    mend?.();
  }
}

for (const build of BROKEN_BUILDS) {
  test(`caught: ${build.name}`, async () => {
    const seed = await findSeed(build);
    assert.notEqual(seed, null);
    if (build.change === undefined || seed === null) return;
    const { violations } = await runPlan(build.change(drawPlan(seed)));
    assert.deepEqual(violations, [], 'the same plan breaks nothing in the real build');
  });
}
