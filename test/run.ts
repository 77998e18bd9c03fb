/**
 * Runs the tests and counts them.
 *
 *   npm test                       everything
 *   npm test -- unit contract      the files whose path contains one of the words
 *
 * The last line reads `N passed, N failed`.
 */
import { globSync } from 'node:fs';
import { relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { finished } from 'node:stream/promises';
import { requireProgram } from './support/install.ts';
import { requireTools } from './support/tools.ts';
import { findLeaks } from './support/log-check.ts';

const ROOT = new URL('..', import.meta.url).pathname;
/** Longest time for one test file, milliseconds. */
const FILE_TIMEOUT_MS = 1_200_000;

const words = process.argv.slice(2).map((word) => word.replace(/^(\.\/)?test\//, ''));
const files = globSync('test/**/*.test.ts', { cwd: ROOT, exclude: ['**/node_modules/**'] })
  .filter((file) => words.length === 0 || words.some((word) => relative('test', file).includes(word)))
  .toSorted();

if (files.length === 0) {
  console.error(`No test file matches: ${words.join(' ')}`);
  process.exit(1);
}

// Once, before the files start: two of them must not install the same thing at the same time.
try {
  requireProgram('memcached');
  if (files.some((file) => relative('test', file).startsWith('browser'))) requireProgram('chromium');
  if (files.some((file) => /^(package|runtimes)\b/.test(relative('test', file)))) requireTools();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}

const count = { passed: 0, failed: 0, skipped: 0 };
const tests = run({ files, cwd: ROOT, concurrency: 2, timeout: FILE_TIMEOUT_MS });
tests.on('test:summary', (summary) => {
  if (summary.file !== undefined) return;
  count.passed = summary.counts.passed;
  count.failed = summary.counts.tests - summary.counts.passed - summary.counts.skipped - summary.counts.todo;
  count.skipped = summary.counts.skipped + summary.counts.todo;
});
/** Whatever a test or what it runs prints: no session id, record or token may be in it. */
const leaks: string[] = [];
for (const stream of ['test:stdout', 'test:stderr'] as const)
  tests.on(stream, ({ file, message }) => {
    for (const leak of findLeaks(message, [])) leaks.push(`${file}: ${leak.trim()}`);
  });
const report = tests.compose(spec);
report.pipe(process.stdout);
await finished(report);

if (leaks.length > 0) console.error(`The output tells too much:\n${leaks.join('\n')}`);
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
console.log(`${count.passed} passed, ${count.failed} failed${skipped}`);
process.exitCode = count.failed === 0 && count.passed > 0 && leaks.length === 0 ? 0 : 1;
