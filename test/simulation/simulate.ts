/**
 * Runs seeds of the simulation in several processes.
 *
 *   npm run simulate -- --seeds 10000 --from 1 [--severity one|wild|return|lapse] [--workers 2]
 *
 * A seed that breaks a promise is run again, shrunk and told. Exits with 1 when there is one.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { drawPlan, type Plan, SEVERITIES, type Severity } from './plan.ts';
import { runPlan } from './run.ts';
import { shrink } from './shrink.ts';
import { tellStory } from './story.ts';

interface Job {
  readonly from: number;
  readonly to: number;
  readonly step: number;
  readonly severity: Severity | null;
}

/** What a worker tells of one seed. */
interface SeedReport {
  readonly seed: number;
  readonly operations: number;
  readonly broken: readonly string[];
}

const MOST_STORIES = 3;
const SHRINKING_RUNS = 400;
const SELF = fileURLToPath(import.meta.url);

// A defect's place is told by the traced run.
if (process.send !== undefined) Error.stackTraceLimit = 0;

if (process.send === undefined) process.exitCode = await lead();
else await work();

async function lead(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      from: { type: 'string', default: '1' },
      severity: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
    },
  });
  const severity = SEVERITIES.find((each) => each === values.severity) ?? null;
  const from = Number(values.from);
  const to = from + Number(values.seeds);
  const began = performance.now();
  const reports = await runAll({ from, to, severity }, Number(values.workers));
  const failed = reports.filter(({ broken }) => broken.length > 0).toSorted((a, b) => a.seed - b.seed);
  for (const { seed } of failed.slice(0, MOST_STORIES)) await tell(seed, severity);
  const operations = reports.reduce((sum, report) => sum + report.operations, 0);
  for (const { seed, broken } of failed) console.log(`seed ${seed}: ${[...new Set(broken)].join(', ')}`);
  const seconds = (performance.now() - began) / 1_000;
  console.log(
    `${reports.length} seeds from ${from}, ${operations} visits in ${seconds.toFixed(0)} s: ${failed.length} seeds break a promise.`,
  );
  return failed.length === 0 && reports.length === to - from ? 0 : 1;
}

async function runAll(
  { from, to, severity }: Pick<Job, 'from' | 'to' | 'severity'>,
  workers: number,
): Promise<SeedReport[]> {
  const reports: SeedReport[] = [];
  const children = Array.from({ length: workers }, (_, index) => {
    const child = fork(SELF);
    child.on('message', (report: SeedReport) => {
      reports.push(report);
      if (reports.length % 1_000 === 0) console.log(`${reports.length} seeds …`);
    });
    child.send({ from: from + index, to, step: workers, severity } satisfies Job);
    return child;
  });
  await Promise.all(children.map(ended));
  return reports;
}

async function ended(child: ChildProcess): Promise<void> {
  await once(child, 'exit');
}

async function tell(seed: number, severity: Severity | null): Promise<void> {
  const plan = drawPlan(seed, severity ?? undefined);
  const { violations } = await runPlan(plan);
  const check = violations[0]?.check;
  const fails = async (candidate: Plan): Promise<boolean> =>
    (await runPlan(candidate)).violations.some((violation) => violation.check === check);
  const small = await shrink(plan, { fails, mostRuns: SHRINKING_RUNS });
  for (const line of tellStory(small, await runPlan(small, { isTracing: true }))) console.log(line);
  console.log('');
}

async function work(): Promise<void> {
  // Only the leading process above sends messages.
  const [{ from, to, step, severity }] = (await once(process, 'message')) as [Job];
  for (let seed = from; seed < to; seed += step) {
    const { history, violations } = await runPlan(drawPlan(seed, severity ?? undefined));
    const broken = violations.map(({ check }) => check);
    const report: SeedReport = { seed, operations: history.operations.length, broken };
    await new Promise((resolve) => process.send?.(report, resolve));
  }
  process.disconnect();
}
