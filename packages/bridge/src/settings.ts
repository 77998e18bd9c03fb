/** Every setting once: its names, default and meaning; and how their texts are found. */
import { parseArgs } from 'node:util';

/** Where settings come from. */
export interface ConfigSources {
  /** Flags without the program's name, e.g. `['--port', '4780']`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

export interface Setting {
  /** Environment variable; also the key in the JSON file. */
  readonly env: string;
  readonly flag: string;
  /** Used when it is given nowhere; empty: none. */
  readonly default: string;
  /** One line for --help, with the unit. */
  readonly help: string;
  /** Is never shown. */
  readonly isSecret?: true;
}

export type SettingName =
  | 'memcachedNodes'
  | 'nodesFile'
  | 'embedded'
  | 'memcachedUsername'
  | 'memcachedPassword'
  | 'bridgeSecret'
  | 'appsFile'
  | 'adminToken'
  | 'host'
  | 'port'
  | 'adminHost'
  | 'adminPort'
  | 'copies'
  | 'nodeTimeoutMs'
  | 'nodeLossGraceMs'
  | 'maxRecordBytes'
  | 'workers'
  | 'logLevel';

export const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  memcachedNodes: {
    env: 'MEMCACHED_NODES',
    flag: 'nodes',
    default: '',
    help: 'The nodes: host:port,[v6]:port,… The order is for ever',
  },
  nodesFile: {
    env: 'NODES_FILE',
    flag: 'nodes-file',
    default: '',
    help: 'A file with a node a line instead; it is watched',
  },
  embedded: {
    env: 'EMBEDDED',
    flag: 'embedded',
    default: '0',
    help: 'Run this many in-process nodes instead; never in production',
  },
  memcachedUsername: {
    env: 'MEMCACHED_USERNAME',
    flag: 'memcached-username',
    default: '',
    help: 'SASL user at every node',
  },
  memcachedPassword: {
    env: 'MEMCACHED_PASSWORD',
    flag: 'memcached-password',
    default: '',
    help: 'SASL password at every node',
    isSecret: true,
  },
  bridgeSecret: {
    env: 'BRIDGE_SECRET',
    flag: 'bridge-secret',
    default: '',
    help: 'Secret of all apps; two, separated by a comma, while it is changed',
    isSecret: true,
  },
  appsFile: {
    env: 'APPS_FILE',
    flag: 'apps-file',
    default: '',
    help: 'JSON with the secrets of each app instead: { "shop": { "secrets": ["…"] } }',
  },
  adminToken: {
    env: 'ADMIN_TOKEN',
    flag: 'admin-token',
    default: '',
    help: "Token for the operator's listener; without one it stays closed",
    isSecret: true,
  },
  host: { env: 'HOST', flag: 'host', default: '0.0.0.0', help: 'Address to listen on' },
  port: { env: 'PORT', flag: 'port', default: '4780', help: 'Port for clients; 0 takes a free one' },
  adminHost: {
    env: 'ADMIN_HOST',
    flag: 'admin-host',
    default: '127.0.0.1',
    help: "Address of the operator's listener",
  },
  adminPort: {
    env: 'ADMIN_PORT',
    flag: 'admin-port',
    default: '4781',
    help: "Port of the operator's listener",
  },
  copies: { env: 'COPIES', flag: 'copies', default: '2', help: 'Nodes that hold each session' },
  nodeTimeoutMs: {
    env: 'NODE_TIMEOUT_MS',
    flag: 'node-timeout-ms',
    default: '250',
    help: 'Deadline of one node operation, milliseconds',
  },
  nodeLossGraceMs: {
    env: 'NODE_LOSS_GRACE_MS',
    flag: 'node-loss-grace-ms',
    default: '30000',
    help: 'How long a node is down before its memory counts as lost, milliseconds',
  },
  maxRecordBytes: {
    env: 'MAX_RECORD_BYTES',
    flag: 'max-record-bytes',
    default: '524288',
    help: 'Largest record, bytes; memcached takes 1 MiB at most',
  },
  workers: { env: 'WORKERS', flag: 'workers', default: '1', help: 'Processes that share the port' },
  logLevel: {
    env: 'LOG_LEVEL',
    flag: 'log-level',
    default: 'info',
    help: 'trace, debug, info, warn, error or silent',
  },
};

/** Flags that are no settings. */
export const SWITCHES: Readonly<Record<string, string>> = {
  config: 'A JSON file with settings by their environment names',
  check: 'Validate the configuration and stop',
  help: 'Show this',
};

const NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(
  (name): name is SettingName => name in SETTINGS,
);

/** The text of each setting, and what is wrong with the sources themselves. */
export function readSettings(sources: ConfigSources): {
  values: Map<SettingName, string>;
  problems: string[];
} {
  const problems: string[] = [];
  const flags = readFlags(sources.args, problems);
  const file = readConfigFile(flags.get('config'), sources, problems);
  const values = new Map<SettingName, string>();
  for (const name of NAMES) {
    const { env, flag, default: fallback } = SETTINGS[name];
    // An empty text is how deployment tools say "not set".
    const given = [flags.get(flag), sources.env[env], file[env]].map((text) => text?.trim());
    values.set(name, given.find((text) => text !== undefined && text !== '') ?? fallback);
  }
  return { values, problems };
}

function readFlags(args: readonly string[], problems: string[]): Map<string, string> {
  const settings = NAMES.map((name) => [SETTINGS[name].flag, { type: 'string' as const }]);
  const switches = {
    config: { type: 'string' },
    check: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { ...Object.fromEntries(settings), ...switches },
    });
    return new Map(Object.entries(values).map(([flag, value]) => [flag, String(value)]));
  } catch (error) {
    problems.push(error instanceof Error ? error.message : 'the flags cannot be read');
    return new Map();
  }
}

function readConfigFile(
  path: string | undefined,
  { readFile }: ConfigSources,
  problems: string[],
): Record<string, string> {
  if (path === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(readFile(path));
    if (typeof parsed !== 'object' || parsed === null) throw new TypeError('it is not an object');
    const known = new Set(NAMES.map((name) => SETTINGS[name].env));
    for (const key of Object.keys(parsed))
      if (!known.has(key)) problems.push(`${path}: ${key} is no setting`);
    return Object.fromEntries(Object.entries(parsed).map(([key, value]) => [key, String(value)]));
  } catch (error) {
    problems.push(`${path} cannot be used: ${error instanceof Error ? error.message : 'unknown error'}`);
    return {};
  }
}

/** The text of --help. */
export function formatHelp(): string {
  const rows = NAMES.map((name) => SETTINGS[name]).map(
    ({ flag, env, help, default: fallback }) =>
      `  --${flag.padEnd(20)} ${env.padEnd(20)} ${help}${fallback === '' ? '' : ` (default ${fallback})`}`,
  );
  const switches = Object.entries(SWITCHES).map(
    ([flag, help]) => `  --${flag.padEnd(20)} ${''.padEnd(20)} ${help}`,
  );
  return [
    'memsession-bridge: the HTTP service in front of the memcached nodes.',
    '',
    'Usage: memsession-bridge [flags]      each flag can also be an environment variable',
    '',
    ...rows,
    ...switches,
    '',
    'Try it:  BRIDGE_SECRET=$(openssl rand -base64 32) memsession-bridge --embedded 3',
  ].join('\n');
}
