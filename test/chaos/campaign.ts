/** Conducts rows one after the other, each on processes of its own or several on the same. */
import type { Fact } from '../history/history.ts';
import type { Row } from './arena.ts';
import { conduct, type Pace } from './conduct.ts';
import type { RunLog } from './run-log.ts';
import { startStack } from './stack.ts';

export interface CampaignOptions {
  readonly rows: readonly Row[];
  readonly seed: number;
  readonly pace: Pace;
  /** How many app instances. */
  readonly instances: number;
  /** The bridge's program, when it is not the built one. */
  readonly bridgeMain?: string;
  readonly onLog: (log: RunLog) => Promise<void> | void;
}

/** Short, so that what a browser may be shown unconfirmed is soon out of date; seconds. */
const MAX_STALE = 1;
const BRIDGES = 2;
const NODES = 3;

export async function runCampaign(options: CampaignOptions): Promise<void> {
  for (const group of groupRows(options.rows, options.pace.rowsPerStack)) await runGroup(group, options);
}

/** Rows that need a stack of their own are one group each. */
function groupRows(rows: readonly Row[], most: number): Row[][] {
  const shared = rows.filter(({ isAlone }) => isAlone !== true);
  const groups = rows.filter(({ isAlone }) => isAlone === true).map((row) => [row]);
  while (shared.length > 0) groups.unshift(shared.splice(-most));
  return groups;
}

async function runGroup(
  rows: readonly Row[],
  { seed, pace, instances, bridgeMain, onLog }: CampaignOptions,
): Promise<void> {
  const facts: Fact[] = [];
  const lags: number[] = [];
  const began = performance.now();
  await using stack = await startStack({
    nodes: NODES,
    bridges: BRIDGES,
    instances,
    maxStale: MAX_STALE,
    timeoutMs: pace.callMs,
    ...(rows[0]?.flags === undefined ? {} : { flags: rows[0].flags }),
    ...(bridgeMain === undefined ? {} : { bridgeMain }),
    onDefect: (text) => facts.push({ kind: 'defect', at: performance.now() - began, text }),
    onLag: (lagMs) => lags.push(lagMs),
  });
  for (const row of rows) {
    const log = await conduct({ row, seed, pace, stack, maxStale: MAX_STALE, faults: { facts, lags } });
    facts.length = 0;
    lags.length = 0;
    await onLog(log);
  }
}
