/** All rows of the fault table. */
import type { Row } from './arena.ts';
import { NODE_ROWS } from './rows-nodes.ts';

export const ROWS: readonly Row[] = [...NODE_ROWS].toSorted((a, b) => numberOf(a) - numberOf(b));

function numberOf({ id }: Row): number {
  return Number(id.slice(1));
}
