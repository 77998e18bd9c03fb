/** All rows of the fault table, in its order. */
import { Random } from '../simulation/random.ts';
import type { Row } from './arena.ts';
import { combine, LOAD_ROWS } from './rows-load.ts';
import { NETWORK_ROWS } from './rows-network.ts';
import { NODE_ROWS } from './rows-nodes.ts';
import { PROCESS_ROWS } from './rows-processes.ts';

const SINGLE_ROWS: readonly Row[] = [...NODE_ROWS, ...NETWORK_ROWS, ...PROCESS_ROWS, ...LOAD_ROWS].toSorted(
  (a, b) => a.id.localeCompare(b.id, 'en', { numeric: true }),
);

/** What can be played together: a fault of one node, and one of the processes in front of them. */
const OF_NODES = ['F4', 'F5', 'F6', 'F7', 'F8', 'F9', 'F10', 'F19', 'F23'];
const OF_PROCESSES = ['F1', 'F2', 'F3', 'F18', 'F24'];

/** All rows, the last ones being pairs that the seed chooses. */
export function drawRows(seed: number, pairs: number): Row[] {
  const random = new Random(seed, 3);
  const find = (ids: readonly string[]): Row => {
    const id = random.pick(ids);
    const row = SINGLE_ROWS.find((each) => each.id === id);
    if (row === undefined) throw new RangeError(`there is no row ${id}`);
    return row;
  };
  const combined: Row[] = [];
  while (combined.length < pairs) {
    const suffix = pairs === 1 ? '' : String.fromCodePoint(97 + combined.length);
    const pair = combine(`F26${suffix}`, find(OF_NODES), find(OF_PROCESSES));
    // Each pair once.
    if (!combined.some(({ title }) => title === pair.title)) combined.push(pair);
  }
  return [...SINGLE_ROWS, ...combined];
}
