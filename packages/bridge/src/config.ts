/** The bridge's configuration, made from the texts of its settings. Pure: all problems are named at once. */
import { type Apps, parseAppsFile, SHORTEST_SECRET } from './apps-file.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { findNetworkProblems } from './networks.ts';
import { type NodeList, parseNodeAddresses, parseNodesFile } from './node-list.ts';
import { type ConfigSources, readSettings } from './setting-texts.ts';
import { type Setting, SETTING_NAMES, SETTINGS, type SettingName } from './settings.ts';

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
  /** Networks that the admin API may take node addresses from. */
  readonly nodeNetworks: readonly string[];
  readonly apps: Apps;
  /** BRIDGE_SECRET: what stays in force whatever APPS_FILE says. */
  readonly sharedSecrets: readonly string[];
  readonly appsFile: string | null;
  /** Any of them opens the operator's listener; without one it stays closed. */
  readonly adminTokens: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly copies: number;
  readonly nodeTimeoutMs: number;
  readonly nodeLossGraceMs: number;
  readonly maxRecordBytes: number;
  readonly maxInFlight: number;
  readonly appMaxInFlight: number;
  readonly maxQueueMs: number;
  readonly maxConnections: number;
  readonly maxBufferedBytes: number;
  readonly keepAliveMs: number;
  readonly workers: number;
  readonly stopWaitMs: number;
  readonly stopGraceMs: number;
  readonly logLevel: LogLevel;
}

export type ParsedConfig =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

/** The configuration, or everything that is wrong with it. Flags win over the environment, that over the file. */
export function parseConfig(sources: ConfigSources): ParsedConfig {
  const texts = readSettings(sources);
  const { problems } = texts;
  const reader = new Reader(texts, sources.readFile);
  const config: Config = {
    embedded: reader.whole('embedded'),
    ...reader.nodes(),
    memcached: reader.memcached(),
    nodeNetworks: reader.networks(),
    ...reader.apps(),
    adminTokens: reader.secrets('adminToken'),
    host: reader.text('host'),
    port: reader.whole('port'),
    adminHost: reader.text('adminHost'),
    adminPort: reader.whole('adminPort'),
    copies: reader.whole('copies'),
    nodeTimeoutMs: reader.whole('nodeTimeoutMs'),
    nodeLossGraceMs: reader.whole('nodeLossGraceMs'),
    maxRecordBytes: reader.whole('maxRecordBytes'),
    maxInFlight: reader.whole('maxInFlight'),
    appMaxInFlight: reader.whole('appMaxInFlight'),
    maxQueueMs: reader.whole('maxQueueMs'),
    maxConnections: reader.whole('maxConnections'),
    maxBufferedBytes: reader.whole('maxBufferedBytes'),
    keepAliveMs: reader.whole('keepAliveMs'),
    workers: reader.whole('workers'),
    stopWaitMs: reader.whole('stopWaitMs'),
    stopGraceMs: reader.whole('stopGraceMs'),
    logLevel: reader.logLevel(),
  };
  if (config.port !== 0 && config.port === config.adminPort)
    reader.report('adminPort', 'must differ from PORT');
  return problems.length === 0 ? { ok: true, config } : { ok: false, problems };
}

/** Every setting by its environment name as it is in force, secrets masked. */
export function printSettings(sources: ConfigSources): Record<string, string> {
  const { values } = readSettings(sources);
  return Object.fromEntries(
    SETTING_NAMES.map((name) => {
      const setting: Setting = SETTINGS[name];
      const text = values.get(name) ?? '';
      return [setting.env, setting.isSecret === true && text !== '' ? '(set)' : text];
    }),
  );
}

/** What is valid but hardly meant, in words. */
export function findConfigWarnings({ copies, nodes, embedded }: Config): string[] {
  const active = embedded + nodes.filter(({ state }) => state === 'active').length;
  if (active >= copies) return [];
  return [`COPIES (--copies): is ${copies}, more than the active nodes (${active}): add nodes or lower it.`];
}

/** The apps of the file beside those with the shared secret; what the file says of `*` wins. */
export function composeApps(sharedSecrets: readonly string[], fromFile: Apps): Apps {
  const shared: Apps = new Map(sharedSecrets.length > 0 ? [['*', { secrets: sharedSecrets }]] : []);
  return new Map([...shared, ...fromFile]);
}

/** Turns texts into values and collects what is wrong with them. */
class Reader {
  readonly #values: ReadonlyMap<SettingName, string>;
  readonly #problems: string[];
  readonly #isComplete: boolean;
  readonly #readFile: (path: string) => string;

  constructor(texts: ReturnType<typeof readSettings>, readFile: (path: string) => string) {
    this.#values = texts.values;
    this.#problems = texts.problems;
    this.#isComplete = texts.isComplete;
    this.#readFile = readFile;
  }

  report(name: SettingName, problem: string): void {
    const { env, flag } = SETTINGS[name];
    this.#problems.push(`${env} (--${flag}): ${problem}`);
  }

  text(name: SettingName): string {
    return this.#values.get(name) ?? '';
  }

  whole(name: SettingName): number {
    const [least, most] = SETTINGS[name].range ?? [0, Number.MAX_SAFE_INTEGER];
    const text = this.text(name);
    const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    this.report(name, `must be a whole number from ${least} to ${most}, is "${text}"`);
    return least;
  }

  /** Several secrets are separated by commas; the first is the newest. */
  secrets(name: SettingName): string[] {
    const secrets = splitList(this.text(name));
    if (secrets.some((secret) => Buffer.byteLength(secret) < SHORTEST_SECRET)) {
      const fix = 'Make one with "openssl rand -base64 32"';
      this.report(name, `must have at least ${SHORTEST_SECRET} bytes. ${fix}`);
    }
    return secrets;
  }

  networks(): string[] {
    const networks = splitList(this.text('nodeNetworks'));
    for (const problem of findNetworkProblems(networks)) this.report('nodeNetworks', problem);
    return networks;
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
    const embedded = Number(this.text('embedded')) !== 0;
    const given = [file !== '', list !== '', embedded].filter(Boolean).length;
    // Not missing when it may stand in what could not be read.
    if (given === 0 && !this.#isComplete) return { nodes: [], nodesFile: null };
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

  apps(): { apps: Apps; sharedSecrets: readonly string[]; appsFile: string | null } {
    const file = this.text('appsFile');
    const sharedSecrets = this.secrets('bridgeSecret');
    if (file === '' && sharedSecrets.length === 0 && this.#isComplete) {
      this.report(
        'bridgeSecret',
        'is missing: without it nobody may use the bridge. Make one with "openssl rand -base64 32"',
      );
    }
    const text = file === '' ? null : this.#read('appsFile', file);
    const parsed = text === null ? null : parseAppsFile(text);
    if (parsed?.ok === false) for (const problem of parsed.problems) this.report('appsFile', problem);
    const apps = composeApps(sharedSecrets, parsed?.ok === true ? parsed.apps : new Map());
    return { apps, sharedSecrets, appsFile: file === '' ? null : file };
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

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
