/**
 * Where the bridge spends its time under a load.
 *
 *   node .dev/run.mjs test/bench/profile.ts [get|known|touch|put|batch] [--svg FILE]
 *
 * Prints where the code comes from that took the time, and which functions took the most, and writes a flame graph.
 */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawFlames, type Frame, partsOf, readProfile, topOf } from './flames.ts';
import { type BridgeLoad, LOADS } from './loads.ts';
import { Stack } from './stack.ts';
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
const kind = LOADS[name];
if (kind === undefined) throw new TypeError(`Profiles can be had of ${Object.keys(LOADS).join(', ')}.`);

const folder = mkdtempSync(join(tmpdir(), 'memsession-profile-'));
try {
  const root = await profile(kind);
  console.log(`${partsOf(root)}\n\n${topOf(root, SHOWN)}`);
  if (values.svg !== undefined) writeFileSync(values.svg, drawFlames(root, `The bridge, load "${name}"`));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);

async function profile({ script: make, ...rest }: BridgeLoad): Promise<Frame> {
  const stack = await Stack.start({
    flags: ['--cpu-prof', '--cpu-prof-interval=250', `--cpu-prof-dir=${folder}`],
  });
  try {
    const script = make(stack, await stack.seed(SESSIONS, BYTES));
    const given = { ...rest, url: stack.url, script };
    await load({ ...given, seconds: WARM_UP_SECONDS });
    const before = stack.bridge.cpuMs() ?? 0;
    const { requests, perSecond } = await load({ ...given, seconds: Number(values.seconds) });
    const micros = (((stack.bridge.cpuMs() ?? 0) - before) * 1_000) / requests;
    console.log(`${Math.round(perSecond)} requests/s, ${micros.toFixed(1)} µs of processor time each`);
  } finally {
    await stack.stop();
  }
  const [file] = globSync(join(folder, '*.cpuprofile'));
  if (file === undefined) throw new Error('The bridge wrote no profile.');
  return readProfile(readFileSync(file, 'utf8'));
}
