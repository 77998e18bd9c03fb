/** Builds the example app when it is not built yet, or from other sources. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const APP = join(ROOT, 'examples/nextjs');
const STAMP = join(APP, '.next/built-from');
const SOURCES = ['examples/nextjs/**/*', 'packages/client/dist/**/*.js', 'package-lock.json'];

/** Returns null when the app is built, or the output of a build that failed. */
export function buildAppWhenStale(onBuild: () => void): string | null {
  const wanted = hashSources();
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return null;
  onBuild();
  const next = join(ROOT, 'node_modules/next/dist/bin/next');
  const built = spawnSync(process.execPath, [next, 'build'], {
    cwd: APP,
    encoding: 'utf8',
    env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' },
  });
  if (built.status !== 0) return `${built.stdout}\n${built.stderr}`;
  // Building writes into the folder (next-env.d.ts, tsconfig.json), so the hash is taken again.
  writeFileSync(STAMP, hashSources());
  return null;
}

function hashSources(): string {
  const hash = createHash('sha256');
  const isOutput = (path: string): boolean => /(^|\/)(\.next|node_modules)(\/|$)/.test(path);
  for (const path of globSync(SOURCES, { cwd: ROOT })
    .filter((each) => !isOutput(each))
    .toSorted()) {
    if (!statSync(join(ROOT, path)).isFile()) continue;
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(ROOT, path)));
  }
  return hash.digest('hex');
}
