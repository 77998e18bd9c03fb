/** Runs seeds of the simulation; `npm run simulate` runs many more, and tells the story of one that fails. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drawPlan } from './plan.ts';
import { runPlan } from './run.ts';

const SEEDS = 500;
/** Every so often a seed is run twice. */
const TWICE = 50;

// Errors are values here, and nobody reads where they were made.
Error.stackTraceLimit = 0;

test(`${SEEDS} seeds keep every promise, and a seed is always the same run`, async () => {
  let visits = 0;
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const plan = drawPlan(seed);
    const { violations, history, traceHash } = await runPlan(plan);
    const [first] = violations;
    const how = `npm run simulate -- --seeds 1 --from ${seed}`;
    assert.equal(first, undefined, `${how}: ${first?.check}: ${first?.text}`);
    visits += history.operations.length;
    if (seed % TWICE === 0) assert.equal((await runPlan(plan)).traceHash, traceHash, `seed ${seed}`);
  }
  assert.ok(visits > SEEDS * 50, `only ${visits} visits`);
});
