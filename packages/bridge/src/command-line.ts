/** Which command is meant by the arguments of the program. Pure. */
import { parseArgs } from 'node:util';
import { type CommandName, findCommand } from './command-names.ts';

/** What to ask a running bridge. */
export type RemoteCommand =
  | { readonly kind: 'nodes' }
  | { readonly kind: 'drain' | 'activate'; readonly index: number }
  | { readonly kind: 'remove'; readonly index: number; readonly isForced: boolean }
  | { readonly kind: 'inspect'; readonly ref: string; readonly app: string };

export type Command =
  | { readonly kind: 'serve' | 'check'; readonly args: readonly string[]; readonly isJson: boolean }
  | {
      readonly kind: 'remote';
      readonly command: RemoteCommand;
      readonly adminUrl: string;
      readonly isJson: boolean;
    }
  | { readonly kind: 'wrong'; readonly problem: string };

type RemoteName = Exclude<CommandName, 'serve' | 'check'>;

const DEFAULT_ADMIN_URL = 'http://127.0.0.1:4781';

const OPTIONS = {
  'admin-url': { type: 'string' },
  app: { type: 'string', default: 'default' },
  force: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
} as const;

/** The command in the arguments without the program's own name; without one it is `serve`. */
export function parseCommand(args: readonly string[]): Command {
  const [first = '', ...rest] = args;
  if (first === '' || first.startsWith('-')) return { kind: 'serve', args, isJson: false };
  const name = findCommand(first);
  if (name === null) return wrong(`There is no command "${first}"; see --help.`);
  if (name === 'serve') return { kind: 'serve', args: rest, isJson: false };
  if (name === 'check') {
    return { kind: 'check', args: rest.filter((arg) => arg !== '--json'), isJson: rest.includes('--json') };
  }
  return parseRemote(name, rest);
}

function parseRemote(name: RemoteName, rest: readonly string[]): Command {
  let parsed;
  try {
    parsed = parseArgs({ args: [...rest], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return wrong(error instanceof Error ? error.message : 'the flags cannot be read');
  }
  const { values, positionals } = parsed;
  const command = readCommand(name, positionals, values);
  if (typeof command === 'string') return wrong(command);
  const adminUrl = values['admin-url'] ?? DEFAULT_ADMIN_URL;
  if (!isHttpUrl(adminUrl)) return wrong(`--admin-url: must be a URL like ${DEFAULT_ADMIN_URL}`);
  return { kind: 'remote', command, adminUrl, isJson: values.json };
}

function readCommand(
  name: RemoteName,
  [argument = '', ...more]: readonly string[],
  { app, force }: { readonly app: string; readonly force: boolean },
): RemoteCommand | string {
  if (more.length > 0) return `${name}: too many arguments`;
  if (name === 'nodes') return argument === '' ? { kind: 'nodes' } : 'nodes: takes no argument';
  if (name === 'inspect')
    return argument === '' ? 'inspect: give the ref of a session' : { kind: 'inspect', ref: argument, app };
  if (!/^[0-9]{1,4}$/.test(argument)) return `${name}: give the index of a node`;
  const index = Number(argument);
  return name === 'remove' ? { kind: name, index, isForced: force } : { kind: name, index };
}

function wrong(problem: string): Command {
  return { kind: 'wrong', problem };
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}
