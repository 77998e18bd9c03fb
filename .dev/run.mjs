/**
 * Runs one of the repository's TypeScript scripts on the pinned Node, after installing dependencies and
 * building when they are missing or stale. Plain JavaScript without dependencies, for Node 18 and later,
 * because it is the first thing that runs on a bare machine.
 *
 *   node .dev/run.mjs SCRIPT [ARG ...]
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMP = join(ROOT, 'node_modules', '.installed-from');
/** What the packages are compiled from; a part with the types of another platform is one of its own. */
const PROJECTS = [
  'packages/client',
  'packages/client/tsconfig.node.json',
  'packages/client/tsconfig.next.json',
  'packages/bridge',
  'packages/bridge/src/dashboard',
];
/** The first Node that runs TypeScript by itself without a warning. */
const OLDEST_USABLE = [24, 3];

installWhenStale();
const node = usableNode();
build(node);
runScript(node, process.argv.slice(2));

function installWhenStale() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  const isFirst = !existsSync(join(ROOT, 'node_modules'));
  console.log(isFirst ? 'Installing dependencies (once, about a minute) …' : 'Updating dependencies …');
  // The installer warns that this machine's Node is older than some packages want; the pinned one is not.
  // Not "npm ci": it refuses a lock file as soon as a registry lacks an optional package of another platform.
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
  const windows = process.platform === 'win32';
  const { status } = spawnSync(windows ? 'npm.cmd' : 'npm', args, {
    cwd: ROOT,
    stdio: 'inherit',
    shell: windows,
  });
  if (status !== 0) fail(`"npm ${args.join(' ')}" failed; its output is above.`);
  writeFileSync(STAMP, wanted);
}

/** The pinned Node; where its install script was not allowed to run, this Node when it is new enough. */
function usableNode() {
  const pinned = join(
    ROOT,
    'node_modules',
    'node',
    'bin',
    process.platform === 'win32' ? 'node.exe' : 'node',
  );
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_USABLE[0] || (major === OLDEST_USABLE[0] && minor >= OLDEST_USABLE[1]))
    return process.execPath;
  return fail(
    `Node ${process.versions.node} is too old and the pinned one is missing. Either allow the install script ` +
      'of the package "node" (npm install-scripts approve node) and delete node_modules, or use Node 24.',
  );
}

function build(node) {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(node, [tsc, '--build', ...PROJECTS], { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) fail('The packages do not compile; the errors are above.');
}

function runScript(node, [script, ...args]) {
  if (script === undefined) fail('Usage: node .dev/run.mjs SCRIPT [ARG ...]');
  // The pinned Node comes first in PATH, so that whatever the script starts runs on it too.
  const path = `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`;
  const child = spawn(node, [join(ROOT, script), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  });
  // A terminal sends its signals to the whole group; only pass on those that reach this process alone.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => {});
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
