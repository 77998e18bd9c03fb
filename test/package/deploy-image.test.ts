import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, globSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { validate } from 'dockerfile-utils';
import { DEPLOY, readDeployFile } from '../support/deploy-files.ts';
import { makeFolder, packPackages } from '../support/packed.ts';

/** One instruction with its lines joined. */
interface Instruction {
  readonly keyword: string;
  readonly rest: string;
}

/** The distroless image's. */
const NOBODY = 65_532;

function readInstructions(file: string): Instruction[] {
  const text = readDeployFile(file)
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '');
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, keyword = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      return { keyword, rest };
    });
}

/** The instructions from the line that begins the last stage. */
function lastStage(instructions: readonly Instruction[]): readonly Instruction[] {
  return instructions.slice(instructions.findLastIndex(({ keyword }) => keyword === 'FROM'));
}

function findLast(instructions: readonly Instruction[], keyword: string): string {
  const found = instructions.findLast((instruction) => instruction.keyword === keyword);
  assert.ok(found, `the Dockerfile has ${keyword}`);
  return found.rest;
}

/** The words of an instruction in JSON form. */
function words(rest: string): string[] {
  // An instruction in this form is a list of strings.
  return JSON.parse(rest.slice(rest.indexOf('['))) as string[];
}

for (const file of ['Dockerfile', 'example.Dockerfile']) {
  test(`${file} has nothing that a linter complains about, and does not run as root`, () => {
    assert.deepEqual(
      validate(readDeployFile(file)).map(
        ({ message, range }) => `line ${range.start.line + 1}: ${String(message)}`,
      ),
      [],
    );
    const final = lastStage(readInstructions(file));
    assert.match(findLast(final, 'USER'), /^(65532:65532|node)$/);
    assert.match(findLast(final, 'HEALTHCHECK'), /CMD \[/, 'needs no shell and no curl');
    for (const { keyword, rest } of readInstructions(file))
      if (keyword === 'FROM') assert.doesNotMatch(rest, /:latest|^[^:]+$/, 'a version is named');
  });
}

/**
 * There is no container engine here, so the steps are done by hand: what the first stage runs is run in an empty
 * folder, made read-only, and started as another user with the final stage's entry point and health check.
 */
test('what the Dockerfile installs from tarballs runs read-only, as nobody, and its health check tells', async () => {
  const instructions = readInstructions('Dockerfile');
  using folder = makeFolder('image');
  const app = folder.path;
  install(app, instructions);
  const readOnly = spawnSync('chmod', ['-R', 'a-w,a+rX', app]);
  assert.equal(readOnly.status, 0);
  try {
    assert.ok(sizeOf(app) < 40 * 1_048_576, `${sizeOf(app)} bytes beside Node.js itself`);
    await runAsNobody(app, lastStage(instructions));
  } finally {
    spawnSync('chmod', ['-R', 'u+w', app]);
  }
});

/** COPY and RUN of the first stage. */
function install(app: string, instructions: readonly Instruction[]): void {
  const tarballs = Object.values(packPackages());
  for (const { keyword, rest } of instructions.slice(1)) {
    if (keyword === 'FROM') return;
    if (keyword === 'COPY') {
      const [, ...patterns] = rest.split(' ').toReversed();
      for (const pattern of patterns) {
        if (pattern === '*.tgz') for (const path of tarballs) copyFileSync(path, join(app, basename(path)));
        else copyFileSync(join(DEPLOY, pattern), join(app, pattern));
      }
    }
    if (keyword !== 'RUN') continue;
    const { status, stderr } = spawnSync('/bin/sh', ['-c', rest], {
      cwd: app,
      encoding: 'utf8',
      env: {
        ...process.env,
        NODE_ENV: 'production',
        npm_config_prefer_offline: 'true',
        BRIDGE: tarballs.map((path) => `./${basename(path)}`).join(' '),
      },
    });
    assert.equal(status, 0, `${rest}\n${stderr}`);
  }
}

function sizeOf(folder: string): number {
  return globSync('**/*', { cwd: folder })
    .map((path) => statSync(join(folder, path)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

async function runAsNobody(app: string, final: readonly Instruction[]): Promise<void> {
  chmodSync(app, 0o555);
  const [, ...entry] = words(findLast(final, 'ENTRYPOINT'));
  const nobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  const env = {
    BRIDGE_SECRET: 'a bridge secret of at least 32 bytes',
    HOST: '127.0.0.1',
    PORT: '0',
    STOP_WAIT_MS: '0',
  };
  const child = spawn(process.execPath, [...entry, '--embedded', '2'], {
    cwd: app,
    env,
    ...nobody,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const url = new URL(await readUrl(child.stdout));
    if ('uid' in nobody) {
      assert.match(
        readFileSync(`/proc/${child.pid}/status`, 'utf8'),
        new RegExp(`^Uid:\\s+${NOBODY}\\s`, 'm'),
      );
    }
    const check = (port: string): number | null => {
      const [, ...args] = words(findLast(final, 'HEALTHCHECK'));
      return spawnSync(process.execPath, args, { cwd: app, env: { PORT: port }, ...nobody }).status;
    };
    assert.equal(check(url.port), 0);
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
    assert.equal(check(url.port), 1);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Where it listens, from its log. */
async function readUrl(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    // Each line of the log is an object.
    const { msg, url } = JSON.parse(line) as { readonly msg: string; readonly url?: string };
    if (msg === 'listening' && url !== undefined) return url;
  }
  throw new Error('the bridge ended before it listened');
}
