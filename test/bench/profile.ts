/**
 * Where the bridge spends its time under a load.
 *
 *   node .dev/run.mjs test/bench/profile.ts [get|known|touch|put|batch] [--svg FILE]
 *
 * Prints the functions that took the most time by themselves, and writes a flame graph.
 */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawFlames, type Frame, readProfile, topOf } from './flames.ts';
import { LOADS, type Script } from './loads.ts';
import { Stack, type Stored } from './stack.ts';
import { load } from './wrk.ts';

const SESSIONS = 1_000;
const BYTES = 1_024;
const WARM_UP_SECONDS = 3;
const SECONDS = 6;
const SHOWN = 45;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { svg: { type: 'string' }, seconds: { type: 'string', default: String(SECONDS) } },
});
const [name = 'get'] = positionals;
const make = LOADS[name];
if (make === undefined) throw new TypeError(`Profiles can be had of ${Object.keys(LOADS).join(', ')}.`);

const folder = mkdtempSync(join(tmpdir(), 'memsession-profile-'));
try {
  const root = await profile(make);
  console.log(topOf(root, SHOWN));
  if (values.svg !== undefined) writeFileSync(values.svg, drawFlames(root, `The bridge, load "${name}"`));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

async function profile(scriptOf: (stack: Stack, sessions: readonly Stored[]) => Script): Promise<Frame> {
  const stack = await Stack.start({ flags: ['--cpu-prof', `--cpu-prof-dir=${folder}`] });
  try {
    const script = scriptOf(stack, await stack.seed(SESSIONS, BYTES));
    await load({ url: stack.url, script, seconds: WARM_UP_SECONDS });
    const before = stack.bridge.cpuMs() ?? 0;
    const { requests, perSecond } = await load({ url: stack.url, script, seconds: Number(values.seconds) });
    const micros = (((stack.bridge.cpuMs() ?? 0) - before) * 1_000) / requests;
    console.log(`${Math.round(perSecond)} requests/s, ${micros.toFixed(1)} µs of processor time each`);
  } finally {
    await stack.stop();
  }
  const [file] = globSync(join(folder, '*.cpuprofile'));
  if (file === undefined) throw new Error('The bridge wrote no profile.');
  return readProfile(readFileSync(file, 'utf8'));
}
