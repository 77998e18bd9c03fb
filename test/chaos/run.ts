/**
 * Breaks a running system in every way of the fault table, and judges it by what its browsers saw.
 *
 *   npm run chaos                         every row, with a new seed
 *   npm run chaos -- --rows F4,F5         only these
 *   npm run chaos -- --seed 7             the faults and the browsers of an earlier run
 *   npm run chaos -- --rate 200           at most so many requests a second, instead of 600
 *   npm run chaos -- --short              the form that `npm test` runs
 *   npm run chaos -- --check FILE         judges the history of an earlier run again
 *
 * Histories, the table as JSON and a page to look at are written to `.chaos/`, or to `--out FOLDER`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { LONG, type Pace, SHORT } from './conduct.ts';
import { drawRow, formatPage, type PageRow } from './page.ts';
import { drawRows } from './rows.ts';
import { readRunLog, type RunLog, writeRunLog } from './run-log.ts';
import { explain, formatTable, judge, type Verdict } from './verdict.ts';

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    seed: { type: 'string' },
    rate: { type: 'string' },
    short: { type: 'boolean', default: false },
    out: { type: 'string', default: '.chaos' },
    check: { type: 'string' },
  },
});

process.exitCode = values.check === undefined ? await run() : tell([judge(await readRunLog(values.check))]);

async function run(): Promise<number> {
  const seed = values.seed === undefined ? Math.floor(Math.random() * 1e6) : Number(values.seed);
  const pace = choosePace();
  const wanted = values.rows?.split(',');
  const all = drawRows(seed, pace.pairs);
  const rows = all.filter(({ id }) => wanted === undefined || wanted.includes(id));
  if (rows.length === 0) throw new TypeError(`there are only ${all.map(({ id }) => id).join(' ')}`);
  await mkdir(values.out, { recursive: true });
  console.log(`seed ${seed}`);
  const drawn: PageRow[] = [];
  const orderOf = ({ verdict }: PageRow): number => all.findIndex(({ id }) => id === verdict.row);
  const onLog = async (log: RunLog): Promise<void> => {
    await writeRunLog(join(values.out, `${log.row}.jsonl`), log);
    const verdict = judge(log);
    drawn.push(drawRow(log, verdict));
    console.log(`${verdict.isGood ? '✓' : '✗'} ${log.row} ${log.title}`);
  };
  await runCampaign({ rows, seed, pace, instances: 4, onLog });
  drawn.sort((a, b) => orderOf(a) - orderOf(b));
  const verdicts = drawn.map(({ verdict }) => verdict);
  await writeFile(join(values.out, 'index.html'), formatPage(drawn, seed));
  await writeFile(join(values.out, 'verdicts.json'), JSON.stringify({ seed, verdicts }, null, 2));
  const code = tell(verdicts);
  console.log(`The timelines are in ${join(values.out, 'index.html')}`);
  return code;
}

function choosePace(): Pace {
  const pace = values.short ? SHORT : LONG;
  if (values.rate === undefined) return pace;
  return { ...pace, load: { ...pace.load, perSecond: Number(values.rate) } };
}

/** Prints the table; gives the exit code. */
function tell(verdicts: readonly Verdict[]): number {
  console.log(`\n${formatTable(verdicts)}\n`);
  for (const verdict of verdicts) for (const line of explain(verdict)) console.log(line);
  return verdicts.every(({ isGood }) => isGood) ? 0 : 1;
}
