/**
 * Measures side by side and prints one table.
 *
 *   npm run bench                          all rows
 *   npm run bench -- bridge-get next       the rows whose names begin so
 *   npm run bench -- --rounds 9            more rounds, less spread (5 when left out)
 *   npm run bench -- --write               puts the table into docs/performance.md, JSON and plots beside it
 *   npm run bench -- --list                the names of the rows
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type Line, notMeasured } from './line.ts';
import { drawScaling } from './plots.ts';
import { formatReport, type Measured, type Report } from './report.ts';
import { ROWS } from './rows.ts';
import { describeSetting, lookBefore } from './setting.ts';
import { NotHereError } from './tools.ts';
import type { Row } from './row.ts';

const DOCUMENT = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const LAST = fileURLToPath(new URL('../../node_modules/.cache/bench/last.json', import.meta.url));
const PUBLISHED = fileURLToPath(new URL('../../docs/performance.json', import.meta.url));
const PLOTS = fileURLToPath(new URL('../../docs/images/scaling.svg', import.meta.url));
const [BEGIN, END] = ['<!-- table: begin -->', '<!-- table: end -->'];
const ROUNDS = 5;
const ROW_LIMIT_MS = 240_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: String(ROUNDS) },
    write: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const rows = ROWS.filter(
  ({ name }) => positionals.length === 0 || positionals.some((word) => name.startsWith(word)),
);
if (values.list || rows.length === 0 || !Number.isInteger(rounds) || rounds < 1) {
  for (const { name, title } of ROWS) console.log(`${name.padEnd(16)} ${title}`);
  process.exit(values.list ? 0 : 1);
}

const start = lookBefore();
const measured: Measured[] = [];
for (const row of rows) {
  console.error(`${row.name}: ${row.title} …`);
  measured.push({ row: row.name, lines: await measure(row), at: new Date().toISOString() });
}
const report: Report = { setting: describeSetting(start), rounds, measured };
console.log(`\n${formatReport(report)}`);
write(LAST, `${JSON.stringify(report, null, 1)}\n`);
if (values.write) {
  const published = existsSync(PUBLISHED) ? addTo(readReport(PUBLISHED), report) : report;
  const text = formatReport(published);
  write(PUBLISHED, `${JSON.stringify(published, null, 1)}\n`);
  const scaling = measured.find(({ row }) => row === 'scaling');
  if (scaling !== undefined) write(PLOTS, drawScaling(scaling.lines));
  const document = readFileSync(DOCUMENT, 'utf8');
  const [head] = document.split(BEGIN);
  const tail = document.split(END)[1] ?? '';
  write(DOCUMENT, `${head}${BEGIN}\n\n${text}\n\n${END}${tail}`);
}
process.exit(0);

/** A row that cannot be measured here, or whose measuring fails, stays in the table and says why. */
async function measure(row: Row): Promise<readonly Line[]> {
  try {
    return await Promise.race([row.measure({ rounds }), giveUp()]);
  } catch (error) {
    if (!(error instanceof NotHereError)) console.error(error);
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    return [notMeasured(row.title, '–', { why })];
  }
}

function readReport(path: string): Report {
  // Written below, by this program.
  return JSON.parse(readFileSync(path, 'utf8')) as Report;
}

/** The earlier report with the rows that were measured now; the setting is that of now. */
function addTo(before: Report, now: Report): Report {
  const all = [...now.measured, ...before.measured];
  const kept = ROWS.map(({ name }) => all.find(({ row }) => row === name));
  return { ...now, measured: kept.filter((each) => each !== undefined) };
}

/** Processes of a row that hangs end with this one. */
async function giveUp(): Promise<never> {
  await sleep(ROW_LIMIT_MS, undefined, { ref: false });
  throw new NotHereError(`took longer than ${ROW_LIMIT_MS / 60_000} minutes`);
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
