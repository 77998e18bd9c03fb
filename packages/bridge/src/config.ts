/** The bridge's settings, from flags, environment and a JSON file. Pure: all problems are named at once. */
import { APP_NAME } from '@memsession/client/protocol';
import type { Apps } from './auth.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { type NodeList, parseNodeAddresses, parseNodesFile } from './node-list.ts';
import { type ConfigSources, readSettings, type Setting, SETTINGS, type SettingName } from './settings.ts';

export type { ConfigSources };

/** A valid configuration. */
export interface Config {
  /** In-process nodes instead of memcached ones; 0 in every real deployment. */
  readonly embedded: number;
  readonly nodes: NodeList;
  /** Watched and read again on SIGHUP; null when the nodes came from elsewhere. */
  readonly nodesFile: string | null;
  /** For SASL PLAIN at every node. */
  readonly memcached: { readonly username: string; readonly password: string } | null;
  readonly apps: Apps;
  readonly appsFile: string | null;
  readonly adminToken: string | null;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly copies: number;
  readonly nodeTimeoutMs: number;
  readonly nodeLossGraceMs: number;
  readonly maxRecordBytes: number;
  readonly workers: number;
  readonly logLevel: LogLevel;
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/** A secret shorter than this can be guessed, bytes. */
const SHORTEST_SECRET = 32;

/** The configuration, or everything that is wrong with it. Flags win over the environment, that over the file. */
export function parseConfig(sources: ConfigSources): ParsedConfig {
  const { values, problems } = readSettings(sources);
  const reader = new Reader(values, problems, sources.readFile);
  const config: Config = {
    embedded: reader.whole('embedded', 0, 64),
    ...reader.nodes(),
    memcached: reader.memcached(),
    ...reader.apps(),
    adminToken: reader.secret('adminToken'),
    host: reader.text('host'),
    port: reader.whole('port', 0, 65_535),
    adminHost: reader.text('adminHost'),
    adminPort: reader.whole('adminPort', 0, 65_535),
    copies: reader.whole('copies', 1, 8),
    nodeTimeoutMs: reader.whole('nodeTimeoutMs', 10, 10_000),
    nodeLossGraceMs: reader.whole('nodeLossGraceMs', 0, 3_600_000),
    maxRecordBytes: reader.whole('maxRecordBytes', 1_024, 1_000_000),
    workers: reader.whole('workers', 1, 64),
    logLevel: reader.logLevel(),
  };
  if (config.port !== 0 && config.port === config.adminPort)
    reader.report('adminPort', 'must differ from PORT');
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

/** Turns texts into values and collects what is wrong with them. */
class Reader {
  readonly #values: ReadonlyMap<SettingName, string>;
  readonly #problems: string[];
  readonly #readFile: (path: string) => string;

  constructor(
    values: ReadonlyMap<SettingName, string>,
    problems: string[],
    readFile: (path: string) => string,
  ) {
    this.#values = values;
    this.#problems = problems;
    this.#readFile = readFile;
  }

  report(name: SettingName, problem: string): void {
    const setting: Setting = SETTINGS[name];
    this.#problems.push(`${setting.env} (--${setting.flag}): ${problem}`);
  }

  text(name: SettingName): string {
    return this.#values.get(name) ?? '';
  }

  whole(name: SettingName, least: number, most: number): number {
    const text = this.text(name);
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    this.report(name, `must be a whole number from ${least} to ${most}, is "${text}"`);
    return least;
  }

  secret(name: SettingName): string | null {
    const text = this.text(name);
    if (text === '') return null;
    this.#checkSecret(name, text, 'it');
    return text;
  }

  logLevel(): LogLevel {
    const level = LOG_LEVELS.find((each) => each === this.text('logLevel'));
    if (level === undefined) this.report('logLevel', `must be one of ${LOG_LEVELS.join(', ')}`);
    return level ?? 'info';
  }

  memcached(): Config['memcached'] {
    const username = this.text('memcachedUsername');
    const password = this.text('memcachedPassword');
    if (username === '' && password === '') return null;
    if (username === '' || password === '')
      this.report('memcachedUsername', 'and the password must be given together');
    return { username, password };
  }

  nodes(): { nodes: NodeList; nodesFile: string | null } {
    const file = this.text('nodesFile');
    const list = this.text('memcachedNodes');
    const embedded = this.text('embedded') !== '0';
    const given = [file !== '', list !== '', embedded].filter(Boolean).length;
    if (given !== 1) {
      const problem = given === 0 ? 'no nodes: give' : 'give only one of';
      this.report(
        'memcachedNodes',
        `${problem} MEMCACHED_NODES, NODES_FILE, or for a first look --embedded 3`,
      );
      return { nodes: [], nodesFile: null };
    }
    if (embedded) return { nodes: [], nodesFile: null };
    const text = file === '' ? list : this.#read('nodesFile', file);
    if (text === null) return { nodes: [], nodesFile: file };
    const parsed = file === '' ? parseNodeAddresses(text) : parseNodesFile(text);
    if (!parsed.ok)
      for (const problem of parsed.problems)
        this.report(file === '' ? 'memcachedNodes' : 'nodesFile', problem);
    return { nodes: parsed.ok ? parsed.nodes : [], nodesFile: file === '' ? null : file };
  }

  apps(): { apps: Apps; appsFile: string | null } {
    const file = this.text('appsFile');
    const shared = splitSecrets(this.text('bridgeSecret'));
    if (file === '' && shared.length === 0) {
      this.report(
        'bridgeSecret',
        'is missing: without it nobody may use the bridge. Make one with "openssl rand -base64 32"',
      );
    }
    for (const secret of shared) this.#checkSecret('bridgeSecret', secret, 'each');
    const apps = new Map<string, { secrets: string[] }>();
    if (shared.length > 0) apps.set('*', { secrets: shared });
    const text = file === '' ? null : this.#read('appsFile', file);
    if (text !== null) for (const [app, secrets] of this.#parseApps(text)) apps.set(app, { secrets });
    return { apps, appsFile: file === '' ? null : file };
  }

  #parseApps(text: string): [string, string[]][] {
    const shape = 'must be JSON of the form { "shop": { "secrets": ["…"] } }';
    const apps: [string, string[]][] = [];
    const parsed = parseJsonObject(text);
    if (parsed === null) this.report('appsFile', shape);
    for (const [app, value] of Object.entries(parsed ?? {})) {
      const secrets = readSecrets(value);
      if (!APP_NAME.test(app))
        this.report('appsFile', `"${app}" is no app name: use a-z, 0-9, "-" and "_", at most 64`);
      if (secrets.length === 0) this.report('appsFile', `"${app}": ${shape}`);
      for (const secret of secrets) this.#checkSecret('appsFile', secret, `each secret of "${app}"`);
      apps.push([app, secrets]);
    }
    return apps;
  }

  #checkSecret(name: SettingName, secret: string, what: string): void {
    if (Buffer.byteLength(secret) >= SHORTEST_SECRET) return;
    this.report(
      name,
      `${what} must have at least ${SHORTEST_SECRET} bytes. Make one with "openssl rand -base64 32"`,
    );
  }

  #read(name: SettingName, path: string): string | null {
    try {
      return this.#readFile(path);
    } catch (error) {
      this.report(
        name,
        `${path} cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`,
      );
      return null;
    }
  }
}

/** Several secrets are separated by commas; the first is the newest. */
function splitSecrets(text: string): string[] {
  return text
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
}

function parseJsonObject(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : null;
  } catch {
    // Not JSON.
    return null;
  }
}

function readSecrets(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || !('secrets' in value) || !Array.isArray(value.secrets))
    return [];
  return value.secrets.filter((secret) => typeof secret === 'string');
}
