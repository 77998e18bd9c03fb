/** Reads the flags of the program; every problem is named. Pure. */
import { parseArgs } from 'node:util';
import { findCommand } from './command-names.ts';
import { SETTING_NAMES, SETTINGS } from './settings.ts';

/** Flags that are no settings. */
export const SWITCHES: Readonly<Record<string, string>> = {
  config: 'A JSON file with settings by their environment names',
  check: 'Validate the configuration and stop',
  'print-config': 'Show the configuration as it is understood, without secrets, and stop',
  help: 'Show this',
  version: 'Show the version',
};

type Options = Readonly<Record<string, { readonly type: 'string' | 'boolean'; readonly short?: 'h' }>>;

const OPTIONS: Options = {
  ...Object.fromEntries(SETTING_NAMES.map((name) => [SETTINGS[name].flag, { type: 'string' as const }])),
  config: { type: 'string' },
  check: { type: 'boolean' },
  'print-config': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
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

function findProblem(type: 'string' | 'boolean' | undefined, value: string | undefined): string | null {
  if (type === undefined) return 'there is no such flag; see --help';
  if (type === 'boolean') return value === undefined ? null : 'takes no value';
  return value === undefined ? 'needs a value' : null;
}

function describeStray(text: string, position: number): string {
  return findCommand(text) !== null
    ? `"${text}": a command stands first, before all flags`
    : `argument ${position + 1}: belongs to no flag; see --help`;
}
