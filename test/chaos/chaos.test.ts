import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runCampaign } from './campaign.ts';
import { SHORT } from './conduct.ts';
import { drawRows } from './rows.ts';
import { explain, judge, type Verdict } from './verdict.ts';

/** Always the same, so that a failure is about the last change. `npm run chaos` draws another one each time. */
const SEED = 1;

/** Plays all rows in the short form; each is judged by its history alone. */
const rows = drawRows(SEED, SHORT.pairs);
const verdicts = new Map<string, Verdict>();
let problem: unknown;

before(async () => {
  try {
    await runCampaign({
      rows,
      seed: SEED,
      pace: SHORT,
      instances: 4,
      onLog: (log) => void verdicts.set(log.row, judge(log)),
    });
  } catch (error) {
    // The rows that were played are judged before it is told.
    problem = error;
  }
});
after(() => assert.ifError(problem));

for (const { id, title } of rows) {
  test(`${id}: the promises hold when ${title.charAt(0).toLowerCase()}${title.slice(1)}`, () => {
    const verdict = verdicts.get(id);
    assert.ok(verdict !== undefined, `${id} was played`);
    assert.ok(verdict.operations > 50 && verdict.acknowledged > 10, 'there was load');
    assert.deepEqual(explain(verdict), []);
  });
}
