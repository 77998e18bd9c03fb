/** All rows of the benchmark, in the order of the table. */
import type { Row } from './row.ts';
import { cachedRead } from './rows/cached-read.ts';
import { bridgeGet, bridgeGetBun } from './rows/bridge-get.ts';

export const ROWS: readonly Row[] = [cachedRead, bridgeGet, bridgeGetBun];
