/** How much memory is in use when nothing is left that could be collected. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of the heap and of what belongs to it outside, after a collection. */
export function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  // The function is there in contexts that are made after the flag was set.
  const collect = runInNewContext('gc') as () => void;
  for (let times = 0; times < 3; times += 1) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
