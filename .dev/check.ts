/** Everything that can be said about the code without running it: `npm run check`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What each step promises, and the command that shows it. */
const STEPS: readonly (readonly [string, readonly string[]])[] = [
  [
    'the code is formatted',
    ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  ],
  ['the lint rules hold', ['node_modules/oxlint/bin/oxlint', '--type-aware', '--quiet']],
  ['all types fit', ['node_modules/typescript/bin/tsc', '--build']],
];

let hasFailed = false;
for (const [promise, args] of STEPS) {
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  console.log(`${status === 0 ? '✓' : '✗'} ${promise}`);
  hasFailed ||= status !== 0;
}
process.exit(hasFailed ? 1 : 0);
