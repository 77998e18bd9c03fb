/** Conducts one row: warm, fault, heal, and a last look; gives the log of the run. */
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fact } from '../history/history.ts';
import { Random } from '../simulation/random.ts';
import { Arena, type Row } from './arena.ts';
import { keepsCookies } from './demands.ts';
import type { Measure, RunLog, StateChange } from './run-log.ts';
import type { Stack } from './stack.ts';
import { type Load, USUAL_LOAD, Workload } from './workload.ts';

/** How long and how hard. */
export interface Pace {
  readonly warmMs: number;
  readonly faultMs: number;
  readonly healMs: number;
  readonly load: Partial<Load>;
  /** The clients' deadline for one call; longer where the machine is shared with other tests. */
  readonly callMs: number;
  /** Rows that leave things as they found them run on the same processes, at most so many. */
  readonly rowsPerStack: number;
  /** How many pairs of rows at once. */
  readonly pairs: number;
}

/** `npm run chaos`. */
export const LONG: Pace = {
  warmMs: 5_000,
  faultMs: 12_000,
  healMs: 10_000,
  load: {},
  callMs: 1_000,
  rowsPerStack: 1,
  pairs: 4,
};
/** In `npm test`. */
export const SHORT: Pace = {
  warmMs: 600,
  faultMs: 2_000,
  healMs: 600,
  load: { browsers: 60, perSecond: 120 },
  callMs: 2_500,
  rowsPerStack: 6,
  pairs: 1,
};

/** One visit loads, and its save tries for as long as two calls may take, the last of which may take one more. */
const CALLS = 4;
const SLACK_MS = 500;
/** Nodes are probed again after at most 30 seconds. */
const WHOLE_LIMIT_MS = 60_000;
const POLL_MS = 50;
/** What is under way after the last request is over within this time. */
const QUIET_LIMIT_MS = 5_000;

/** The instances' own default: no row takes as long. */
const IDLE_MS = 86_400_000;

export interface Faults {
  readonly facts: Fact[];
  readonly lags: number[];
}

export interface RunOptions {
  readonly row: Row;
  readonly seed: number;
  readonly pace: Pace;
  readonly stack: Stack;
  readonly maxStale: number;
  /** Where the stack's processes leave their defects and stalls. */
  readonly faults: Faults;
}

export async function conduct({ row, seed, pace, stack, maxStale, faults }: RunOptions): Promise<RunLog> {
  const began = performance.now();
  const wallBegan = Date.now();
  const now = (): number => performance.now() - began;
  const load = fitLoad(row, pace);
  const { facts } = faults;
  const workload = new Workload({
    load,
    random: new Random(seed, 1),
    instances: stack.instances,
    prefix: `${row.id.toLowerCase()}-`,
    now,
    onDefect: (text) => facts.push({ kind: 'defect', at: now(), text }),
  });
  const faultMs = Math.max(pace.faultMs, row.leastMs ?? 0);
  const arena = new Arena({ stack, workload, seed, random: new Random(seed, 2), faultMs, facts, now });

  await row.prepare?.(arena);
  await untilWhole(stack);
  const warm = now();
  await workload.begin();
  workload.start();
  await sleep(pace.warmMs);
  const measures = [await measure(stack, 'warm', now)];
  const fault = now();
  const heal = await row.fault(arena);
  const healAt = now();
  await heal();
  const isWhole = await untilWhole(stack);
  const wholeAt = isWhole ? now() : null;
  await sleep(pace.healMs);
  await workload.stop();
  await workload.lookAround();
  measures.push(await measureQuiet(stack, now));
  for (const text of stack.bridges.flatMap((bridge) => bridge.takeDefects()))
    facts.push({ kind: 'defect', at: now(), text });
  const phases = { warm, fault, heal: healAt, end: now() };
  const states = readStates(stack, wallBegan, phases);
  const { operations, events, lagMs, stalls } = workload;
  const lag = Math.max(lagMs, ...faults.lags);
  const findings = [
    ...arena.findings,
    ...(row.demands?.({ operations, states, stalls, events, phases, lagMs: lag }) ?? []),
    keepsCookies({ operations }),
    ...compare(measures),
    { what: 'every bridge uses every node again', isHeld: isWhole, detail: '' },
  ];
  return {
    row: row.id,
    title: row.title,
    seed,
    phases,
    wholeAt,
    lagMs: lag,
    events,
    maxStaleMs: maxStale * 1_000,
    idleMs: IDLE_MS,
    // A machine that stands still is no fault of what runs on it.
    deadlineMs: CALLS * pace.callMs + SLACK_MS + lag,
    nodes: stack.nodes.length,
    operations,
    facts: [...facts],
    states,
    measures,
    findings,
  };
}

/** The row's own load, and no more than the pace has. */
function fitLoad({ load: own = {} }: Row, { load: most }: Pace): Load {
  const load = { ...USUAL_LOAD, ...own };
  return {
    ...load,
    browsers: Math.min(load.browsers, most.browsers ?? load.browsers),
    perSecond: Math.min(load.perSecond, most.perSecond ?? load.perSecond),
  };
}

/** Whether all bridges came to use all nodes of the list within a minute. */
async function untilWhole(stack: Stack): Promise<boolean> {
  const giveUpAt = performance.now() + WHOLE_LIMIT_MS;
  while (performance.now() < giveUpAt) {
    const asked = stack.bridges.map((bridge) => bridge.nodeStates().catch(() => ['unknown']));
    const states = await Promise.all(asked);
    if (states.every((each) => each.length > 0 && each.every(isUsed))) return true;
    await sleep(POLL_MS);
  }
  return false;
}

function isUsed(state: string): boolean {
  return state === 'up' || state === 'removed';
}

async function measure(stack: Stack, phase: Measure['phase'], now: () => number): Promise<Measure> {
  const files: Record<string, number> = {};
  for (const bridge of stack.bridges) {
    // Instances keep connections for later; how many depends on how many requests met.
    const clients = await bridge.metric('memsession_connections').catch(() => 0);
    files[bridge.name] = Math.max(0, (await countFiles(bridge.pid)) - clients);
  }
  for (const { index, memcached } of stack.nodes) files[`node ${index}`] = await countFiles(memcached.pid);
  const lines = ['memsession_operations_in_flight', 'memsession_operations_queued'];
  const numbers = await Promise.all(
    stack.bridges.flatMap((bridge) => lines.map((line) => bridge.metric(line).catch(() => 0))),
  );
  return { at: now(), phase, files, underWay: numbers.reduce((sum, number) => sum + number, 0) };
}

async function measureQuiet(stack: Stack, now: () => number): Promise<Measure> {
  const giveUpAt = performance.now() + QUIET_LIMIT_MS;
  for (;;) {
    const last = await measure(stack, 'end', now);
    if (last.underWay === 0 || performance.now() > giveUpAt) return last;
    await sleep(POLL_MS);
  }
}

/** 0 where the system does not tell. */
async function countFiles(pid: number): Promise<number> {
  return readdir(`/proc/${pid}/fd`).then(
    (files) => files.length,
    () => 0,
  );
}

/** Whether everything that was opened for the fault has been closed again. */
function compare([warm, end]: readonly Measure[]): RunLog['findings'] {
  if (warm === undefined || end === undefined) return [];
  const grown = Object.entries(end.files).filter(([name, count]) => {
    const before = warm.files[name];
    return before !== undefined && count > before * 1.25 + 16;
  });
  const detail = grown.map(([name, count]) => `${name}: ${warm.files[name]} → ${count}`).join(', ');
  return [
    { what: 'nothing stays under way', isHeld: end.underWay === 0, detail: `${end.underWay} operations` },
    { what: 'open files are back where they were', isHeld: grown.length === 0, detail },
  ];
}

/** What the bridges logged about nodes, by the clock of the run. */
function readStates(stack: Stack, wallBegan: number, phases: RunLog['phases']): StateChange[] {
  return stack.bridges
    .flatMap(({ log }, bridge) =>
      log
        .filter((line) => typeof line['to'] === 'string' && typeof line['node'] === 'number')
        .map((line) => ({
          at: Date.parse(String(line['time'])) - wallBegan,
          bridge,
          node: Number(line['node']),
          to: String(line['to']),
          reason: String(line['reason'] ?? ''),
        })),
    )
    .filter(({ at }) => at >= phases.warm)
    .toSorted((a, b) => a.at - b.at);
}
