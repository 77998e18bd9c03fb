import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAppsFile } from '../../packages/bridge/src/apps-file.ts';
import {
  type Config,
  findConfigWarnings,
  parseConfig,
  printSettings,
} from '../../packages/bridge/src/config.ts';
import { formatHelp } from '../../packages/bridge/src/help.ts';
import { SETTING_NAMES, SETTINGS } from '../../packages/bridge/src/settings.ts';

const SECRET = 'a secret that nobody can guess: 12345';
const ENV = { MEMCACHED_NODES: 'a:1,b:2', BRIDGE_SECRET: SECRET };

function parse(sources: {
  args?: readonly string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
}): ReturnType<typeof parseConfig> {
  const { args = [], env = ENV, files = {} } = sources;
  const readFile = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error('no such file');
    return text;
  };
  return parseConfig({ args, env, readFile });
}

function configOf(sources: Parameters<typeof parse>[0]): Config {
  const parsed = parse(sources);
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.join('\n'));
  return parsed.config;
}

function problemsOf(sources: Parameters<typeof parse>[0]): readonly string[] {
  const parsed = parse(sources);
  assert.ok(!parsed.ok);
  return parsed.problems;
}

test('nodes and a secret are all that is needed', () => {
  const config = configOf({});
  assert.deepEqual(
    [config.nodes.length, config.port, config.copies, config.workers, config.adminTokens],
    [2, 4_780, 2, 1, []],
  );
  assert.deepEqual(config.apps, new Map([['*', { secrets: [SECRET] }]]));
});

test('flags win over the environment, and that over the file', () => {
  const files = { '/etc/bridge.json': JSON.stringify({ PORT: 1, COPIES: 3, WORKERS: '2' }) };
  const config = configOf({
    args: ['--config', '/etc/bridge.json', '--port', '3'],
    env: { ...ENV, PORT: '2', COPIES: '1' },
    files,
  });
  assert.deepEqual([config.port, config.copies, config.workers], [3, 1, 2]);
});

test('every problem is named at once, with the setting it is about', () => {
  const problems = problemsOf({
    args: ['--copies', '9'],
    env: {
      BRIDGE_SECRET: 'short',
      PORT: 'http',
      LOG_LEVEL: 'loud',
      MEMCACHED_USERNAME: 'me',
      ADMIN_TOKEN: 'x',
      NODE_NETWORKS: '10.0.0.0/33',
      MAX_QUEUE_MS: '-1',
    },
  });
  const named = problems.map((problem) => problem.split(' ')[0]?.replace(':', ''));
  assert.deepEqual(
    new Set(named),
    new Set([
      'BRIDGE_SECRET',
      'PORT',
      'LOG_LEVEL',
      'MEMCACHED_USERNAME',
      'ADMIN_TOKEN',
      'NODE_NETWORKS',
      'MAX_QUEUE_MS',
      'COPIES',
      'MEMCACHED_NODES',
    ]),
  );
  assert.ok(
    problems.every((problem) => !problem.includes('short')),
    'a secret is not repeated',
  );
});

test('a flag that does not exist is refused by name', () => {
  assert.match(problemsOf({ args: ['--prot', '1'] }).join(), /--prot/);
});

test('what may stand in flags or a file that cannot be read is not called missing', () => {
  const given = ['--nodes', 'a:1'];
  assert.equal(problemsOf({ args: [...given, '--bogus'], env: { BRIDGE_SECRET: SECRET } }).length, 1);
  assert.equal(problemsOf({ args: [...given, '--workers', '-1'], env: { BRIDGE_SECRET: SECRET } }).length, 1);
  assert.equal(problemsOf({ args: ['--config', '/nope'], env: {} }).length, 1);
});

test('a setting that is wrong at its source has one problem, and not a second one that follows from it', () => {
  const env = { MEMCACHED_NODES: 'a:1,b:1', BRIDGE_SECRET_FILE: '/nowhere' };
  assert.deepEqual(problemsOf({ env }).length, 1, problemsOf({ env }).join('\n'));
  const files = { 'c.json': '{ "MEMCACHED_NODES": {}, "COPIES": null, "PORT": [] }' };
  const problems = problemsOf({ args: ['--config', 'c.json'], env: { BRIDGE_SECRET: SECRET }, files });
  assert.equal(problems.length, 3, problems.join('\n'));
});

test('of flags too every problem is named at once, without what they were given', () => {
  const args = [
    '--nods',
    'private',
    '--bogus=private',
    '--port',
    'x',
    '--copies',
    '99',
    '--check=private',
    'private',
  ];
  const problems = problemsOf({ args: [...args, '--host'] });
  const named = ['--nods', '--bogus', '--port', '--copies', '--check', '--host'];
  for (const name of named) assert.equal(problems.filter((each) => each.includes(name)).length, 1, name);
  assert.equal(problems.length, named.length + 1);
  assert.ok(!problems.join().includes('private'), problems.join('\n'));
  const forgotten = problemsOf({ args: ['--host', '--port', '80', '--workers', '-1'] });
  assert.deepEqual(
    forgotten.map((each) => each.split(':')[0]),
    ['--host', '--workers'],
  );
  assert.equal(
    configOf({ args: ['--memcached-username=-u', '--memcached-password=-p'] }).memcached?.username,
    '-u',
  );
});

test('a command behind the flags is told where it belongs', () => {
  assert.match(problemsOf({ args: ['--nodes', 'a:1', 'check'] }).join(), /"check".*first/);
});

test('without nodes the fix is told, and two kinds of nodes are too many', () => {
  assert.equal(problemsOf({ env: { BRIDGE_SECRET: SECRET } }).length, 1);
  assert.equal(problemsOf({ env: { ...ENV, EMBEDDED: '3' } }).length, 1);
  assert.equal(configOf({ env: { BRIDGE_SECRET: SECRET }, args: ['--embedded', '3'] }).embedded, 3);
  for (const none of ['0', '00'])
    assert.equal(problemsOf({ env: { BRIDGE_SECRET: SECRET, EMBEDDED: none } }).length, 1, none);
});

test('fewer active nodes than copies are warned about, and are no error', () => {
  const count = (nodes: string, ...args: string[]): number =>
    findConfigWarnings(configOf({ env: { ...ENV, MEMCACHED_NODES: nodes }, args })).length;
  assert.deepEqual([count('a:1,b:2'), count('a:1'), count('a:1,removed,b:2')], [0, 1, 0]);
  assert.deepEqual([count('a:1,b:2', '--copies', '3'), count('a:1', '--copies', '1')], [1, 0]);
  const embedded = configOf({ env: { BRIDGE_SECRET: SECRET }, args: ['--embedded', '2'] });
  assert.deepEqual(findConfigWarnings(embedded), []);
});

test('a secret may stand in a file of its own, but not in both places', () => {
  const files = { '/run/secrets/bridge': `${SECRET}\n` };
  const { BRIDGE_SECRET: _, ...env } = ENV;
  assert.deepEqual(
    configOf({ env: { ...env, BRIDGE_SECRET_FILE: '/run/secrets/bridge' }, files }).sharedSecrets,
    [SECRET],
  );
  assert.equal(problemsOf({ env: { ...ENV, BRIDGE_SECRET_FILE: '/run/secrets/bridge' }, files }).length, 1);
  assert.equal(problemsOf({ env: { ...env, BRIDGE_SECRET_FILE: '/nowhere' } }).length, 1);
});

test('two secrets and two admin tokens may be in force at once', () => {
  const other = SECRET.replace('a', 'b');
  const config = configOf({
    env: { ...ENV, BRIDGE_SECRET: `${other}, ${SECRET}`, ADMIN_TOKEN: `${SECRET},${other}` },
  });
  assert.deepEqual(config.sharedSecrets, [other, SECRET]);
  assert.deepEqual(config.adminTokens, [SECRET, other]);
});

test('apps have secrets, limits and public keys of their own; the star stands for all others', () => {
  const x = 'A'.repeat(43);
  const file = {
    shop: { secrets: [SECRET], maxInFlight: 10, publicKeys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: 'k' }] },
    '*': { secrets: [SECRET] },
  };
  const parsed = parseAppsFile(JSON.stringify(file));
  assert.ok(parsed.ok);
  assert.deepEqual(parsed.apps.get('shop'), file.shop);
  const config = configOf({ env: { ...ENV, APPS_FILE: '/apps' }, files: { '/apps': JSON.stringify(file) } });
  assert.deepEqual([...config.apps.keys()], ['*', 'shop']);
});

test('what is wrong with an app is told with its place, and never its secret', () => {
  const secret = 'not long enough';
  const key = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43) };
  const parsed = parseAppsFile(
    JSON.stringify({
      Shop: { secrets: [SECRET] },
      a: { secrets: [secret] },
      b: { secrets: [] },
      c: { secrets: [SECRET], publicKeys: [{ ...key, y: 'A'.repeat(43), d: 'private' }] },
      d: { secrets: [SECRET], publicKeys: [key] },
      e: { secrets: [SECRET], secret },
      f: 7,
      g: { secrets: [SECRET], maxInFlight: 0 },
      h: { secrets: [`${SECRET},${SECRET}`] },
      i: { secrets: [`${SECRET}\n`] },
    }),
  );
  assert.ok(!parsed.ok);
  const places = parsed.problems.map((problem) => problem.split(' ')[0]);
  assert.deepEqual(places, [
    '"Shop"',
    '"a".secrets[0]',
    '"b".secrets',
    '"c".publicKeys[0].d',
    '"d".publicKeys[0]',
    '"e"',
    '"f"',
    '"g".maxInFlight',
    '"h".secrets[0]',
    '"i".secrets[0]',
  ]);
  assert.ok(!parsed.problems.join().includes(secret));
  for (const text of ['', '[]', 'null', '{}', '{"a"']) assert.ok(!parseAppsFile(text).ok, text);
});

test('a public key that cannot be one, and two with one name, are told and not left to refuse every save', () => {
  const key = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) };
  const off = { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) };
  const parsed = parseAppsFile(
    JSON.stringify({
      a: { secrets: [SECRET], publicKeys: [key, off] },
      b: {
        secrets: [SECRET],
        publicKeys: [
          { ...key, kid: 'k' },
          { ...key, x: `B${'A'.repeat(42)}`, kid: 'k' },
        ],
      },
      c: { secrets: [SECRET], publicKeys: [key, { ...key, kid: 'k' }] },
    }),
  );
  assert.ok(!parsed.ok);
  const places = parsed.problems.map((problem) => problem.split(' ')[0]);
  assert.deepEqual(places, ['"a".publicKeys[1]', '"b".publicKeys']);
});

test('a configuration file that is not JSON is not quoted in the message', () => {
  const files = { '/etc/bridge.json': `{ "BRIDGE_SECRET": "${SECRET}" ` };
  const problems = problemsOf({ args: ['--config', '/etc/bridge.json'], files });
  assert.ok(!problems.join().includes(SECRET.slice(0, 8)), problems.join());
});

test('the printed configuration has every setting and no secret', () => {
  const printed = printSettings({ args: [], env: { ...ENV, ADMIN_TOKEN: SECRET }, readFile: () => '' });
  assert.deepEqual(
    Object.keys(printed),
    SETTING_NAMES.map((name) => SETTINGS[name].env),
  );
  assert.equal(printed['BRIDGE_SECRET'], '(set)');
  assert.equal(printed['PORT'], '4780');
  assert.ok(!JSON.stringify(printed).includes(SECRET));
});

test('the help names every setting with its flag', () => {
  const help = formatHelp();
  for (const name of SETTING_NAMES) {
    const { env, flag } = SETTINGS[name];
    assert.ok(help.includes(`--${flag} `) && help.includes(`${env} `), env);
  }
});
