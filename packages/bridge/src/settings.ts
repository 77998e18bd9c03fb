/** Every setting once: its names, default, bounds and meaning. */

export interface Setting {
  /** Environment variable; also the key in the JSON file. */
  readonly env: string;
  readonly flag: string;
  /** Used when it is given nowhere; empty: none. */
  readonly default: string;
  /** One line for --help, with the unit. */
  readonly help: string;
  /** Where it stands in --help and in the documentation. */
  readonly group: SettingGroup;
  /** The least and the most of a whole number. */
  readonly range?: readonly [least: number, most: number];
  /** Is never shown, and may stand in a file of its own, named by `<env>_FILE`. */
  readonly isSecret?: true;
}

export type SettingGroup = 'Nodes' | 'Who may use it' | 'Listening' | 'Sessions' | 'Limits' | 'Running';

export type SettingName =
  | 'memcachedNodes'
  | 'nodesFile'
  | 'embedded'
  | 'memcachedUsername'
  | 'memcachedPassword'
  | 'nodeNetworks'
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
  | 'maxInFlight'
  | 'appMaxInFlight'
  | 'maxQueueMs'
  | 'maxConnections'
  | 'maxBufferedBytes'
  | 'keepAliveMs'
  | 'workers'
  | 'stopWaitMs'
  | 'stopGraceMs'
  | 'logLevel';

const MEBIBYTE = 1_048_576;

export const SETTINGS: Readonly<Record<SettingName, Setting>> = {
  memcachedNodes: {
    env: 'MEMCACHED_NODES',
    flag: 'nodes',
    default: '',
    help: 'The nodes: host:port,[v6]:port,… The order is for ever',
    group: 'Nodes',
  },
  nodesFile: {
    env: 'NODES_FILE',
    flag: 'nodes-file',
    default: '',
    help: 'A file with a node a line instead; it is watched',
    group: 'Nodes',
  },
  embedded: {
    env: 'EMBEDDED',
    flag: 'embedded',
    default: '0',
    help: 'Run this many in-process nodes instead; never in production',
    group: 'Nodes',
    range: [0, 64],
  },
  memcachedUsername: {
    env: 'MEMCACHED_USERNAME',
    flag: 'memcached-username',
    default: '',
    help: 'SASL user at every node',
    group: 'Nodes',
  },
  memcachedPassword: {
    env: 'MEMCACHED_PASSWORD',
    flag: 'memcached-password',
    default: '',
    help: 'SASL password at every node',
    group: 'Nodes',
    isSecret: true,
  },
  nodeNetworks: {
    env: 'NODE_NETWORKS',
    flag: 'node-networks',
    default: '',
    help: 'Networks the admin API may take node addresses from, e.g. 10.0.0.0/8,fd00::/8; empty: none',
    group: 'Nodes',
  },
  bridgeSecret: {
    env: 'BRIDGE_SECRET',
    flag: 'bridge-secret',
    default: '',
    help: 'Secret of all apps; two, separated by a comma, while it is changed',
    group: 'Who may use it',
    isSecret: true,
  },
  appsFile: {
    env: 'APPS_FILE',
    flag: 'apps-file',
    default: '',
    help: 'JSON with the secrets of each app instead: { "shop": { "secrets": ["…"] } }; it is watched',
    group: 'Who may use it',
  },
  adminToken: {
    env: 'ADMIN_TOKEN',
    flag: 'admin-token',
    default: '',
    help: "Token for the operator's listener, or two while it is changed; without one it stays closed",
    group: 'Who may use it',
    isSecret: true,
  },
  host: {
    env: 'HOST',
    flag: 'host',
    default: '0.0.0.0',
    help: 'Address to listen on',
    group: 'Listening',
  },
  port: {
    env: 'PORT',
    flag: 'port',
    default: '4780',
    help: 'Port for clients; 0 takes a free one',
    group: 'Listening',
    range: [0, 65_535],
  },
  adminHost: {
    env: 'ADMIN_HOST',
    flag: 'admin-host',
    default: '127.0.0.1',
    help: "Address of the operator's listener",
    group: 'Listening',
  },
  adminPort: {
    env: 'ADMIN_PORT',
    flag: 'admin-port',
    default: '4781',
    help: "Port of the operator's listener; 0 takes a free one",
    group: 'Listening',
    range: [0, 65_535],
  },
  copies: {
    env: 'COPIES',
    flag: 'copies',
    default: '2',
    help: 'Nodes that hold each session',
    group: 'Sessions',
    range: [1, 8],
  },
  nodeTimeoutMs: {
    env: 'NODE_TIMEOUT_MS',
    flag: 'node-timeout-ms',
    default: '250',
    help: 'Deadline of one node operation, milliseconds',
    group: 'Sessions',
    range: [10, 10_000],
  },
  nodeLossGraceMs: {
    env: 'NODE_LOSS_GRACE_MS',
    flag: 'node-loss-grace-ms',
    default: '30000',
    help: 'How long a node is down before its memory counts as lost, milliseconds',
    group: 'Sessions',
    range: [0, 3_600_000],
  },
  maxRecordBytes: {
    env: 'MAX_RECORD_BYTES',
    flag: 'max-record-bytes',
    default: '524288',
    help: 'Largest record, bytes; memcached takes 1 MiB at most',
    group: 'Limits',
    range: [1_024, 1_000_000],
  },
  maxInFlight: {
    env: 'MAX_IN_FLIGHT',
    flag: 'max-in-flight',
    default: '512',
    help: 'Operations under way at once in each process; more wait',
    group: 'Limits',
    range: [1, 100_000],
  },
  appMaxInFlight: {
    env: 'APP_MAX_IN_FLIGHT',
    flag: 'app-max-in-flight',
    default: '384',
    help: 'Of these, at most so many for one app; its others wait',
    group: 'Limits',
    range: [1, 100_000],
  },
  maxQueueMs: {
    env: 'MAX_QUEUE_MS',
    flag: 'max-queue-ms',
    default: '250',
    help: 'Longest wait for a place among them, milliseconds; then 503, or 429 where the app has too many',
    group: 'Limits',
    range: [0, 10_000],
  },
  maxConnections: {
    env: 'MAX_CONNECTIONS',
    flag: 'max-connections',
    default: '8192',
    help: 'Client connections of each process; lower where the system allows fewer files',
    group: 'Limits',
    range: [1, 1_000_000],
  },
  maxBufferedBytes: {
    env: 'MAX_BUFFERED_BYTES',
    flag: 'max-buffered-bytes',
    default: String(64 * MEBIBYTE),
    help: 'Request bodies held at once in each process, bytes; more are refused with 503',
    group: 'Limits',
    range: [4 * MEBIBYTE, 4_096 * MEBIBYTE],
  },
  keepAliveMs: {
    env: 'KEEP_ALIVE_MS',
    flag: 'keep-alive-ms',
    default: '75000',
    help: "How long an idle connection stays open, milliseconds; longer than the load balancer's own limit",
    group: 'Limits',
    range: [1_000, 3_600_000],
  },
  workers: {
    env: 'WORKERS',
    flag: 'workers',
    default: '1',
    help: 'Processes that share the port',
    group: 'Running',
    range: [1, 64],
  },
  stopWaitMs: {
    env: 'STOP_WAIT_MS',
    flag: 'stop-wait-ms',
    default: '3000',
    help: 'After SIGTERM: not ready, but serving for so long, milliseconds, so that balancers notice',
    group: 'Running',
    range: [0, 600_000],
  },
  stopGraceMs: {
    env: 'STOP_GRACE_MS',
    flag: 'stop-grace-ms',
    default: '5000',
    help: 'Then requests under way may take so long to finish, milliseconds',
    group: 'Running',
    range: [0, 600_000],
  },
  logLevel: {
    env: 'LOG_LEVEL',
    flag: 'log-level',
    default: 'info',
    help: 'trace, debug, info, warn, error or silent',
    group: 'Running',
  },
};

/** In the order in which they are shown. */
export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(
  (name): name is SettingName => name in SETTINGS,
);
