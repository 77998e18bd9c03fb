/** Reads the flags of the program; every problem is named. Pure. */
import { parseArgs } from 'node:util';
import { findCommand } from './command-names.ts';
import { SETTING_NAMES, SETTINGS } from './settings.ts';

interface Flag {
  readonly type: 'string' | 'boolean';
  readonly short?: 'h';
}

/** Flags that are no settings; `help` is for --help. */
export const SWITCHES: Readonly<Record<string, Flag & { readonly help: string }>> = {
  config: { type: 'string', help: 'A JSON file with settings by their environment names' },
  check: { type: 'boolean', help: 'Validate the configuration and stop' },
  'print-config': {
    type: 'boolean',
    help: 'Show the configuration as it is understood, without secrets, and stop',
  },
  help: { type: 'boolean', short: 'h', help: 'Show this' },
  version: { type: 'boolean', help: 'Show the version' },
};

const OPTIONS: Readonly<Record<string, Flag>> = {
  ...Object.fromEntries(SETTING_NAMES.map((name) => [SETTINGS[name].flag, { type: 'string' as const }])),
  ...SWITCHES,
};

/** The values of the flags that have one. Problems never repeat a value, for it may be a secret. */
export function readFlags(args: readonly string[]): { flags: Map<string, string>; problems: string[] } {
  const { tokens } = parseArgs({
    args: [...args],
    options: OPTIONS,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const flags = new Map<string, string>();
  const problems: string[] = [];
  // What follows a flag that is not understood is most likely meant for it, or for the one it has swallowed.
  let meantForOther = -1;
  for (const token of tokens) {
    if (token.kind === 'positional' && token.index !== meantForOther)
      problems.push(describeStray(token.value, token.index));
    if (token.kind !== 'option') continue;
    const { name, rawName, value, index } = token;
    const type = Object.hasOwn(OPTIONS, name) ? OPTIONS[name]?.type : undefined;
    const hasSwallowed = type === 'string' && !token.inlineValue && value?.startsWith('-') === true;
    const problem = findProblem(type, hasSwallowed ? undefined : value);
    if (problem === null && value !== undefined) flags.set(name, value);
    if (problem === null) continue;
    problems.push(`${rawName}: ${problem}`);
    if (token.inlineValue !== true) meantForOther = index + (hasSwallowed ? 2 : 1);
  }
  return { flags, problems };
}

function findProblem(type: Flag['type'] | undefined, value: string | undefined): string | null {
  if (type === undefined) return 'there is no such flag; see --help';
  if (type === 'boolean') return value === undefined ? null : 'takes no value';
  return value === undefined ? 'needs a value' : null;
}

function describeStray(text: string, position: number): string {
  return findCommand(text) !== null
    ? `"${text}": a command stands first, before all flags`
    : `argument ${position + 1}: belongs to no flag; see --help`;
}
