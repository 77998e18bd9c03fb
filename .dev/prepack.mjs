/**
 * Builds a package from nothing before it is packed, so that no file of an earlier build gets into it. npm runs it
 * in the package's folder.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

rmSync('dist', { recursive: true, force: true });
const { references } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
const here = relative(ROOT, process.cwd()).replaceAll('\\', '/');
const projects = references.map(({ path }) => path).filter((path) => `${path}/`.startsWith(`${here}/`));
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
const { status } = spawnSync(process.execPath, [join(typescript, 'bin', 'tsc'), '--build', ...projects], {
  cwd: ROOT,
  stdio: 'inherit',
});
process.exit(status ?? 1);
