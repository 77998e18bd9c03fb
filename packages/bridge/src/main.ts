#!/usr/bin/env node
/** The process: flags, environment, signals. The only file that uses `process`. */
import { readFileSync } from 'node:fs';
import { parseConfig } from './config.ts';
import { createLog } from './log.ts';
import { startService } from './service.ts';
import { formatHelp } from './settings.ts';

/** Requests under way may take this long after SIGTERM, milliseconds. */
const STOP_GRACE_MS = 10_000;

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(formatHelp());
    return 0;
  }
  const parsed = parseConfig({ args, env: process.env, readFile: (path) => readFileSync(path, 'utf8') });
  if (!parsed.ok) {
    for (const problem of parsed.problems) console.error(problem);
    return 1;
  }
  if (args.includes('--check')) {
    console.log('The configuration is valid.');
    return 0;
  }
  const log = createLog(parsed.config.logLevel);
  const service = await startService(parsed.config, log);
  log.info(
    { url: service.url, nodes: service.cluster.list.length, copies: parsed.config.copies },
    'listening',
  );
  process.on('SIGHUP', () => void service.reload());
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, resolve);
  });
  log.info('stopping');
  await service.stop(STOP_GRACE_MS);
  log.info('stopped');
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? `memsession-bridge: ${error.message}` : error);
  process.exitCode = 1;
}
