import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CheckName } from '../history/checker.ts';
import { runCampaign } from './campaign.ts';
import { SHORT } from './conduct.ts';
import { drawRows } from './rows.ts';
import { judge } from './verdict.ts';

interface BrokenBuild {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** The row that shows it, and the checks that may. */
  readonly row: string;
  readonly checks: readonly CheckName[];
}

/** What a bridge must never be. The simulation breaks more; these show that the real thing is watched as well. */
const BUILDS: readonly BrokenBuild[] = [
  {
    what: 'that keeps one copy only',
    file: 'settings.js',
    from: "flag: 'copies',\n        default: '2',",
    to: "flag: 'copies',\n        default: '1',",
    row: 'F4',
    checks: ['durable'],
  },
  {
    what: 'that acknowledges before it stores',
    file: 'save.js',
    from: 'async run() {',
    to: "async run() { if (this.#base !== null) return { kind: 'stored', holders: [...this.#lookup.copies] };",
    row: 'F7',
    checks: ['durable', 'no fork', 'no lost update'],
  },
  {
    what: 'that overwrites instead of comparing',
    file: 'memjs-operations.js',
    from: 'cas: checkCas(expected),\n',
    to: 'cas: 0n,\n',
    row: 'F16',
    checks: ['no lost update', 'no fork', 'durable'],
  },
];

/** A build that none of so many runs shows is not caught. */
const MOST_SEEDS = 12;

for (const build of BUILDS) {
  test(`the histories of ${build.row} convict a bridge ${build.what}`, async () => {
    const found = new Set<CheckName>();
    const isCaught = (): boolean => build.checks.some((check) => found.has(check));
    await withBuild(build, async (bridgeMain) => {
      // What real processes do in between is not the same each time.
      for (let seed = 1; seed <= MOST_SEEDS && !isCaught(); seed += 1) {
        await runCampaign({
          rows: drawRows(seed, 0).filter(({ id }) => id === build.row),
          seed,
          pace: SHORT,
          instances: 4,
          bridgeMain,
          onLog: (log) => {
            for (const { check } of judge(log).violations) found.add(check);
          },
        });
      }
    });
    assert.ok(isCaught(), `${[...found].join(', ')} is not one of ${build.checks.join(', ')}`);
  });
}

/** A copy of the built bridge with one change, where it finds the packages it needs. */
async function withBuild(
  { file, from, to }: BrokenBuild,
  use: (main: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(fileURLToPath(new URL('../../node_modules/.broken-', import.meta.url)));
  try {
    const bridge = fileURLToPath(new URL('../../packages/bridge/', import.meta.url));
    for (const part of ['dist', 'assets', 'package.json'])
      await cp(join(bridge, part), join(folder, part), { recursive: true });
    const path = join(folder, 'dist', file);
    const code = await readFile(path, 'utf8');
    assert.equal(code.split(from).length, 2, `the change of ${file} still fits`);
    await writeFile(path, code.replace(from, to));
    await use(join(folder, 'dist', 'main.js'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
