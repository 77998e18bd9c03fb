/** What the numbers were measured with: machine, runtimes, versions, date. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { canPin } from './measured-process.ts';
import { versionOf } from './peers.ts';
import { requireTool, type Tool } from './tools.ts';

export interface Setting {
  readonly date: string;
  readonly processor: string;
  readonly system: string;
  readonly isPinned: boolean;
  /** Work waiting for the processor when the benchmark began, mean of a minute: others use the machine too. */
  readonly loadBefore: number;
  readonly versions: Readonly<Record<string, string>>;
}

const PACKAGES = [
  'hono',
  '@hono/node-server',
  'memjs',
  'jose',
  'iron-session',
  'next',
  'bun',
  'express',
  'express-session',
  'connect-redis',
  'connect-memcached',
  '@fastify/session',
  '@upstash/redis',
];
const VERSION_FLAGS: Readonly<Record<Tool, string>> = {
  memcached: '-V',
  'redis-server': '-v',
  nginx: '-v',
  wrk: '-v',
  // It knows no such flag and would start.
  webdis: '',
};

/** To be asked when the benchmark begins. */
export function lookBefore(): Pick<Setting, 'date' | 'loadBefore'> {
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}

/** To be asked when the rows have run: what they compare with may not have been installed before. */
export function describeSetting(before: Pick<Setting, 'date' | 'loadBefore'>): Setting {
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  const tools = (Object.keys(VERSION_FLAGS) as Tool[]).map((tool) => [tool, toolVersion(tool)] as const);
  return {
    ...before,
    processor: `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} cores, ${gigabytes} GB`,
    system: `${type()} ${release()}`,
    isPinned: canPin,
    versions: {
      node: process.versions.node,
      ...Object.fromEntries(tools),
      ...Object.fromEntries(PACKAGES.map((name) => [name, versionOf(name)])),
    },
  };
}

/** The setting in words, for above the table. */
export function formatSetting(setting: Setting): string {
  const { date, processor, system, isPinned, loadBefore, versions } = setting;
  const pinning = isPinned
    ? 'What is measured runs on one core; the load, the nodes and everything else share the other one.'
    : 'Processes could not be kept on cores of their own here: expect more spread.';
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${date} UTC. ${processor}. ${system}. Load of the machine before: ${loadBefore}.`,
    pinning,
    `${list.join(', ')}.`,
  ].join('\n');
}

function toolVersion(tool: Tool): string {
  try {
    const { path, env } = requireTool(tool);
    const flag = VERSION_FLAGS[tool];
    if (flag === '') return '0.1.x';
    const { stdout, stderr } = spawnSync(path, [flag], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    return /[0-9]+\.[0-9]+(?:\.[0-9]+)?/.exec(stdout + stderr)?.[0] ?? 'unknown';
  } catch {
    return 'not here';
  }
}
