/** What --help shows: everything somebody needs to run the bridge for the first time. Pure. */
import { SWITCHES } from './setting-flags.ts';
import { type Setting, SETTING_NAMES, SETTINGS } from './settings.ts';

const COMMANDS: readonly (readonly [string, string])[] = [
  ['serve', 'Run the bridge (the default)'],
  ['check', 'Validate the configuration, then ask every node how it is and how it was started'],
  ['nodes', 'List the nodes of a running bridge'],
  ['drain N', 'Let the sessions of node N move away; also "activate N" and "remove N"'],
  ['remove N --force', 'Also when it is not drained, as when its machine is gone for ever'],
  ['inspect REF', 'Explain where a session is looked for, and why (--app NAME, "default" when left out)'],
];

const ADMIN_FLAGS: readonly (readonly [string, string])[] = [
  ['--admin-url URL', "The running bridge's operator listener (http://127.0.0.1:4781)"],
  ['--json', 'Answer as JSON'],
];

/** The text of --help. */
export function formatHelp(): string {
  return [
    'memsession-bridge: the HTTP service in front of the memcached nodes.',
    '',
    'Usage: memsession-bridge [COMMAND] [FLAGS]',
    '',
    ...COMMANDS.map(row),
    '',
    'Each setting is a flag, an environment variable, or an entry of the file given with --config; the first',
    'of these wins. A secret (*) may also stand in a file of its own: BRIDGE_SECRET_FILE=/run/secrets/bridge.',
    ...formatSettings(),
    '',
    'Other flags of serve and check',
    ...Object.entries(SWITCHES).map(([flag, { help }]) => row([`--${flag}`, help])),
    '',
    'Flags of nodes, drain, activate, remove and inspect; the token is taken from ADMIN_TOKEN',
    ...ADMIN_FLAGS.map(row),
    '',
    'Signals: SIGTERM stops in order, SIGHUP reads the node list and the apps again, SIGUSR2 replaces the',
    'workers one by one.',
    '',
    'Try it:  BRIDGE_SECRET=$(openssl rand -base64 32) memsession-bridge --embedded 3',
  ].join('\n');
}

function formatSettings(): string[] {
  const lines: string[] = [];
  let last = '';
  for (const setting of SETTING_NAMES.map((name) => SETTINGS[name])) {
    if (setting.group !== last) lines.push('', setting.group);
    last = setting.group;
    lines.push(formatSetting(setting));
  }
  return lines;
}

function formatSetting({ flag, env, help, default: fallback, isSecret }: Setting): string {
  const suffix = fallback === '' ? '' : ` (${fallback})`;
  return `  --${flag.padEnd(20)} ${`${env}${isSecret ? ' *' : ''}`.padEnd(22)} ${help}${suffix}`;
}

function row([name, help]: readonly [string, string]): string {
  return `  ${name.padEnd(22)} ${help}`;
}
