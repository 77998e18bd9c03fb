/** HTTP load by wrk: as many requests as the server answers, over connections that stay open. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Contestant, Sample } from './measure.ts';
import { type Core, type MeasuredProcess, pin } from './measured-process.ts';
import { requireTool } from './tools.ts';

export interface Load {
  readonly url: string;
  /** What each request is: Lua that sets `request`, and may count in `bad`. Without it, GET of the url. */
  readonly script?: () => Promise<string>;
  readonly connections?: number;
  readonly seconds?: number;
  /** Where the load comes from. */
  readonly core?: Core;
}

/** What wrk counted. */
export interface Counted {
  readonly requests: number;
  readonly perSecond: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
}

const CONNECTIONS = 64;
/** Of one contestant in one round. */
const SECONDS = 2;
/** Nothing at all in more than this is what it is. */
const MOST_SECONDS = 10;

/** Prints what was counted as JSON. A status of 400 or more, or what `isBad` says, makes the run worthless. */
const TAIL = `
local threads = {}
function setup(thread) table.insert(threads, thread) end
function done(summary, latency)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  for _, thread in ipairs(threads) do bad = bad + (thread:get("bad") or 0) end
  io.write(string.format('\\nCOUNTED {"requests":%d,"micros":%d,"bad":%d,"p50":%d,"p99":%d}\\n',
    summary.requests, summary.duration, bad, latency:percentile(50), latency:percentile(99)))
end
`;

const execute = promisify(execFile);

/**
 * Loads a server from the other core.
 *
 * @throws {NotHereError} when wrk cannot be had.
 */
export async function load({
  url,
  script = async () => '',
  connections = CONNECTIONS,
  seconds = SECONDS,
  core = 'rest',
}: Load): Promise<Counted> {
  const wrk = requireTool('wrk');
  const folder = mkdtempSync(join(tmpdir(), 'memsession-bench-'));
  try {
    const file = join(folder, 'load.lua');
    writeFileSync(file, (await script()) + TAIL);
    const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '20s', '-s', file, url];
    const [command, all] = pin(core, wrk.path, args);
    const { stdout } = await execute(command, all, { env: { ...process.env, ...wrk.env } });
    const counted = read(stdout, url);
    // A server that got no turn on a busy machine may get one in more time.
    if (counted.requests > 0 || seconds > MOST_SECONDS) return counted;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return load({ url, script, connections, seconds: seconds * 3, core });
}

function read(output: string, url: string): Counted {
  const json = /^COUNTED (.+)$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(`wrk counted nothing at ${url}:\n${output}`);
  // Printed by the script above.
  const { requests, micros, bad, p50, p99 } = JSON.parse(json) as Record<string, number>;
  if (bad !== 0) throw new Error(`${bad} of ${requests} answers of ${url} were bad:\n${output}`);
  const perSecond = ((requests ?? 0) * 1_000_000) / (micros ?? 0);
  return { requests: requests ?? 0, perSecond, p50: (p50 ?? 0) / 1_000, p99: (p99 ?? 0) / 1_000 };
}

/** A server as a contestant: answers a second, and processor time for each. `each`: what one answer counts. */
export function loaded(
  name: string,
  server: MeasuredProcess,
  { each = 1, ...given }: Load & { readonly each?: number },
): Contestant {
  return {
    name,
    run: async (): Promise<Sample> => {
      const before = server.cpuMs();
      const { requests, perSecond } = await load(given);
      const after = server.cpuMs();
      const cpuMicros =
        before === null || after === null ? null : ((after - before) * 1_000) / (requests * each);
      return { value: perSecond * each, cpuMicros };
    },
  };
}
