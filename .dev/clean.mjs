/** Removes everything that building and running leave behind, but not the installed dependencies. */
import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const LEFTOVERS = [
  'packages/client/dist',
  'packages/bridge/dist',
  'examples/nextjs/.next',
  'node_modules/.cache',
  '.state',
];

for (const path of LEFTOVERS) rmSync(join(ROOT, path), { recursive: true, force: true });
