/** All rows of the benchmark, in the order of the table. */
import type { Row } from './row.ts';
import { bridgeGet, bridgeGetBun } from './rows/bridge-get.ts';
import { bridgeBatch, bridgeConditional, bridgeWorkers } from './rows/bridge-kinds.ts';
import { bundle } from './rows/bundle.ts';
import { cachedRead } from './rows/cached-read.ts';
import { downtime } from './rows/downtime.ts';
import { memory } from './rows/memory.ts';
import { nextRead, nextTurns } from './rows/next.ts';
import { saveLatency } from './rows/save-latency.ts';
import { scaling } from './rows/scaling.ts';

export const ROWS: readonly Row[] = [
  cachedRead,
  nextRead,
  nextTurns,
  bridgeGet,
  bridgeGetBun,
  bridgeBatch,
  bridgeConditional,
  saveLatency,
  bridgeWorkers,
  memory,
  scaling,
  downtime,
  bundle,
];
