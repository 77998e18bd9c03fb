/**
 * The lint rule `rooms/imports`: every source file of the packages stands in a room, and imports only from its own
 * room and those below. A file without a room is reported, so that this list tells the whole house.
 */

/** From the top down. A name ending in `-` stands for all files that begin with it. */
const ROOMS = {
  client: [
    ['index', 'next', 'next-', 'node', 'node-'],
    ['manager', 'opener', 'request-jar'],
    [
      'handle',
      'committer',
      'mover',
      'edits',
      'standing',
      'turns',
      'background',
      'wrapped-calls',
      'identity',
      'browser',
      'parts',
      'loader',
      'saver',
      'homecoming',
      'recovery',
      'remote',
      'holdings',
      'engine',
      'console-events',
      'carried',
      'conflict',
    ],
    [
      'transport',
      'attempts',
      'bridge',
      'batch',
      'deferred',
      'breaker',
      'token',
      'wire',
      'record',
      'seal',
      'keys',
      'cookies',
      'session',
      'cache',
      'memory',
      'steady-clock',
      'fields',
      'history',
    ],
    ['settings', 'shapes', 'options', 'events', 'codec', 'ports', 'platform', 'identifiers', 'errors'],
    ['protocol'],
  ],
  bridge: [
    ['main', 'index'],
    ['help', 'command-line', 'remote', 'node-check'],
    ['service', 'primary', 'worker-handle', 'worker-process', 'ipc', 'embedded-list'],
    ['control', 'watched-file'],
    ['admin', 'admin-', 'pages', 'docs-page', 'assets'],
    ['desk', 'desk-metrics', 'overview', 'samples', 'warning-log', 'metric-sums', 'roster', 'crew'],
    ['worker'],
    ['app', 'request-watch', 'listener', 'connections', 'openapi', 'openapi-', 'route'],
    ['http', 'answer', 'auth', 'body', 'gate', 'record-check', 'config', 'operation'],
    [
      'metrics',
      'metered-node',
      'node-facts',
      'member',
      'apps-file',
      'networks',
      'command-names',
      'setting-',
      'settings',
      'version',
    ],
    ['store', 'settler', 'tally'],
    ['save', 'agreement', 'lookup', 'observer'],
    ['cluster', 'doubts', 'lifetimes'],
    ['trust', 'marks', 'health', 'deaths', 'evidence', 'lag', 'placement', 'node-list'],
    ['memjs-', 'embedded-'],
    ['binary-frames', 'deadline-alarm', 'reset-socket', 'node', 'system-clock', 'log'],
  ],
};

/** What may be imported from outside, and where. */
const OUTSIDE = [
  {
    name: /^memjs$/,
    // Tests show what memjs does by itself.
    files: /packages\/bridge\/src\/memjs-socket\.ts$|(^|\/)test\//,
    fix: 'use MemcachedNode from node.ts',
  },
  {
    name: /^node:process$/,
    files: /packages\/bridge\/src\/main\.ts$/,
    fix: 'take what you need as a parameter',
  },
  {
    name: /^@memsession\/client(?!\/protocol$)/,
    files: /^(?!.*packages\/bridge\/).*$/,
    fix: 'the bridge knows only the protocol',
  },
  {
    name: /^node:/,
    files: /^(?!.*packages\/client\/src\/(?!node(-[\w-]+)?\.ts)).*$/,
    fix: 'the client runs where only fetch and WebCrypto exist',
  },
  {
    name: /^next(\/|$)/,
    files: /^(?!.*packages\/client\/src\/(?!next(-[\w-]+)?\.ts)).*$/,
    fix: 'only the adapter knows Next.js',
  },
];

const imports = {
  meta: { type: 'problem', messages: {} },
  create(context) {
    const here = locate(context.filename);
    const check = (node) => {
      const source = node.source?.value;
      if (typeof source !== 'string') return;
      for (const { name, files, fix } of OUTSIDE) {
        if (name.test(source) && !files.test(context.filename))
          context.report({ node, message: `"${source}" may not be imported here: ${fix}.` });
      }
      const target =
        here === null || !source.startsWith('./')
          ? null
          : findRoom(here.part, source.slice(2).replace(/\.[jt]s$/, ''));
      if (target !== null && here.room !== null && target < here.room) {
        context.report({
          node,
          message: `"${source}" is in a room above this file: imports go only downward.`,
        });
      }
    };
    return {
      Program(node) {
        if (here !== null && here.room === null)
          context.report({ node, message: 'This file has no room: add it to .dev/lint-rooms.js.' });
      },
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      MemberExpression(node) {
        const isProcess = node.object.type === 'Identifier' && node.object.name === 'process';
        if (isProcess && here?.part === 'bridge' && here.name !== 'main')
          context.report({ node, message: '`process` is used in main.ts only.' });
      },
    };
  },
};

function locate(filename) {
  const match = /packages\/(client|bridge)\/src\/(.+)\.tsx?$/.exec(filename);
  // The dashboard's scripts run in a browser; of the bridge they take only types.
  if (match === null || match[2].endsWith('.d') || match[2].startsWith('dashboard/')) return null;
  return { part: match[1], name: match[2], room: findRoom(match[1], match[2]) };
}

function findRoom(part, name) {
  const room = ROOMS[part].findIndex((files) =>
    files.some((file) => file === name || (file.endsWith('-') && name.startsWith(file))),
  );
  return room === -1 ? null : room;
}

export default { meta: { name: 'rooms' }, rules: { imports } };
