import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { linkPackages } from '../support/packed.ts';
import { Project } from '../support/project.ts';

const TSC = new URL('../../node_modules/typescript/bin/tsc', import.meta.url).pathname;

const project = new Project();
after(() => project[Symbol.dispose]());

/** Everything strict, and the libraries' own types are checked too. */
const STRICT = {
  target: 'ES2023',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  noImplicitOverride: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  skipLibCheck: false,
  noEmit: true,
};

const ANYWHERE = `
import { createSessionManager, SessionError, type Session, type SessionEvent } from '@memsession/client';
import { parseRef, type SessionRef } from '@memsession/client/protocol';
interface Data { userId?: string; cart?: string[] }
const told: SessionEvent[] = [];
const { getSession, withSession } = createSessionManager<Data>({ onEvent: (event) => told.push(event) });
export const handle = withSession(async (request: Request) => {
  const session: Session<Data> = await getSession(request);
  session.cart = [...(session.cart ?? []), 'apple'];
  const ref: SessionRef | null = parseRef(session.meta.ref ?? '');
  const count: number = await session.update((data) => (data.cart ?? []).length);
  return Response.json({ count, home: ref?.index ?? null });
});
const env: Record<string, string | undefined> = {};
export const fromEnvironment = createSessionManager<Data>({
  secret: env['SECRET'],
  bridgeUrl: env['URL'],
  bridgeSecret: env['BRIDGE'],
  cookie: { name: env['NAME'], maxAge: undefined },
  cache: { maxBytes: undefined },
  onConflict: undefined,
});
export const maybe = (request: Request, headers?: Headers, fresh?: boolean): Promise<Session<Data>> =>
  getSession(request, { headers, fresh, waitUntil: undefined });
export const isGone = (error: unknown): boolean =>
  error instanceof SessionError && error.code === 'session_destroyed';
// @ts-expect-error there is no such field
export const wrong = async (request: Request) => (await getSession(request)).nobody;
`;

const ON_NODE = `
import { createServer } from 'node:http';
import { createNodeSessions, type SessionRequest } from '@memsession/client/node';
import { parseConfig, startService, createLog, type Service } from '@memsession/bridge';
const { getSession, sessions } = createNodeSessions<{ views?: number }>();
export const server = createServer(async (request, response) => {
  const session = await getSession(request, response);
  session.views = (session.views ?? 0) + 1;
  await session.save();
  sessions()(request, response, () => void (request as SessionRequest<{ views?: number }>).session.views);
});
const parsed = parseConfig({ args: ['--embedded', '3'], env: {}, readFile: () => '' });
export const bridge: Promise<Service> | null = parsed.ok
  ? startService(parsed.config, createLog(parsed.config.logLevel))
  : null;
`;

const ON_NEXT = `
import { createSessions, type Session } from '@memsession/client/next';
import type { NextRequest } from 'next/server.js';
const { getSession, withSession, sessionProxy } = createSessions<{ userId?: string }>();
export const POST = withSession(async (request: NextRequest) => {
  const session: Session<{ userId?: string }> = await getSession(request);
  return Response.json({ userId: session.userId ?? null });
});
export { sessionProxy };
`;

test('the types fit a strict project that knows nothing but web standards', () => {
  for (const module of ['NodeNext', 'Bundler'] as const) {
    const options = module === 'NodeNext' ? { module } : { module: 'ESNext', moduleResolution: module };
    const lib = ['ES2023', 'DOM', 'DOM.Iterable'];
    assert.deepEqual(compile('anywhere.ts', ANYWHERE, { ...options, lib, types: [] }), [], module);
  }
});

test('the types fit a strict project on Node', () => {
  linkPackages(project.path, ['@types/node', 'undici-types']);
  const options = { module: 'NodeNext', lib: ['ES2023'], types: ['node'] };
  assert.deepEqual(compile('on-node.ts', ON_NODE, options), []);
  assert.deepEqual(compile('anywhere.ts', ANYWHERE, options), []);
});

test('the types fit a strict project with Next.js', () => {
  linkPackages(project.path, ['@types/node', 'undici-types', 'next', 'react', '@types/react']);
  const options = {
    module: 'ESNext',
    moduleResolution: 'Bundler',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node'],
  };
  assert.deepEqual(compile('on-next.ts', ON_NEXT, options), []);
});

/** What the compiler finds wrong with a program and with our types; others' types are their own affair. */
function compile(name: string, code: string, options: Record<string, unknown>): string[] {
  const folder = join(project.path, 'strict');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  writeFileSync(join(folder, name), code);
  const config = { compilerOptions: { ...STRICT, ...options }, include: ['*.ts'] };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
  const { status, stdout } = spawnSync(process.execPath, [TSC, '--project', folder, '--pretty', 'false'], {
    cwd: project.path,
    encoding: 'utf8',
  });
  const found = stdout.split('\n').filter((line) => /error TS/.test(line));
  assert.equal(status === 0, found.length === 0, stdout);
  return found.filter((line) => !/node_modules\/(?!@memsession\/)/.test(line));
}
