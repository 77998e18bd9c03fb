/**
 * Before and after: the bridge of this clone beside that of another one, in turns, by processor time.
 *
 *   node .dev/run.mjs test/bench/versus.ts OTHER_CLONE [get known touch put batch] [--rounds 9] [--after CLONE]
 */
import { parseArgs } from 'node:util';
import { LOADS } from './loads.ts';
import { type Contestant, playRounds, quantile, type Sample, samplesOf } from './measure.ts';
import { Stack } from './stack.ts';
import { loaded } from './wrk.ts';

const SESSIONS = 1_000;
const BYTES = 1_024;
const ROUNDS = 9;
const SECONDS = 1;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: String(ROUNDS) }, after: { type: 'string' } },
});
const [clone, ...words] = positionals;
if (clone === undefined) throw new TypeError('Which clone is the other one?');
const names = words.length > 0 ? words : Object.keys(LOADS);

const stacks = {
  before: await Stack.start({ clone }),
  after: await Stack.start(values.after === undefined ? {} : { clone: values.after }),
};
const contestants: Contestant[] = [];
for (const [side, stack] of Object.entries(stacks)) {
  const sessions = await stack.seed(SESSIONS, BYTES);
  for (const name of names) {
    const kind = LOADS[name];
    if (kind === undefined) throw new TypeError(`There is no load ${name}.`);
    const given = { ...kind, url: stack.url, script: kind.script(stack, sessions), seconds: SECONDS };
    contestants.push(loaded(`${name} ${side}`, stack.bridge, given));
  }
}
const samples = await playRounds(contestants, Number(values.rounds));
console.log('load    µs of processor time before   after           requests/s before    after');
for (const name of names) {
  const [before, after] = [samplesOf(samples, `${name} before`), samplesOf(samples, `${name} after`)];
  const cells = [
    name.padEnd(8),
    micros(before).padEnd(30),
    micros(after).padEnd(16),
    perSecond(before).padEnd(21),
    perSecond(after),
  ];
  console.log(cells.join(''));
}
await Promise.all(Object.values(stacks).map((stack) => stack.stop()));
process.exit(0);

/** The median and the lowest: what else runs here can only add to it. */
function micros(of: readonly Sample[]): string {
  const sorted = of.map(({ cpuMicros }) => cpuMicros ?? Number.NaN).toSorted((a, b) => a - b);
  return `${quantile(sorted, 0.5).toFixed(1)} (${quantile(sorted, 0).toFixed(1)})`;
}

function perSecond(of: readonly Sample[]): string {
  const sorted = of.map(({ value }) => value).toSorted((a, b) => a - b);
  return quantile(sorted, 0.5).toFixed(0);
}
