/** Finds the text of each setting: in the flags, the environment, a file of its own, or the JSON file. Pure. */
import { parseArgs } from 'node:util';
import { SETTING_NAMES, SETTINGS, type SettingName } from './settings.ts';

/** Where settings come from. */
export interface ConfigSources {
  /** Flags without the program's name, e.g. `['--port', '4780']`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** Flags that are no settings. */
export const SWITCHES: Readonly<Record<string, string>> = {
  config: 'A JSON file with settings by their environment names',
  check: 'Validate the configuration and stop',
  'print-config': 'Show the configuration as it is understood, without secrets, and stop',
  help: 'Show this',
  version: 'Show the version',
};

/** The text of each setting, and what is wrong with the sources themselves. */
export function readSettings(sources: ConfigSources): {
  values: Map<SettingName, string>;
  problems: string[];
  /** Whether every source could be read; when not, a text that is not there may have been given all the same. */
  isComplete: boolean;
} {
  const problems: string[] = [];
  const flags = readFlags(sources.args, problems);
  const file = readConfigFile(flags?.get('config'), sources, problems);
  const values = new Map<SettingName, string>();
  for (const name of SETTING_NAMES) {
    const { env, flag, default: fallback } = SETTINGS[name];
    const secretFile = readSecretFile(name, sources, problems);
    // An empty text is how deployment tools say "not set".
    const given = [flags?.get(flag), sources.env[env], secretFile, file?.[env]].map((text) => text?.trim());
    values.set(name, given.find((text) => text !== undefined && text !== '') ?? fallback);
  }
  return { values, problems, isComplete: flags !== null && file !== null };
}

function readFlags(args: readonly string[], problems: string[]): Map<string, string> | null {
  const settings = SETTING_NAMES.map((name) => [SETTINGS[name].flag, { type: 'string' as const }]);
  const switches = {
    config: { type: 'string' },
    check: { type: 'boolean' },
    'print-config': { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean' },
  } as const;
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { ...Object.fromEntries(settings), ...switches },
    });
    return new Map(Object.entries(values).map(([flag, value]) => [flag, String(value)]));
  } catch (error) {
    problems.push(error instanceof Error ? error.message : 'the flags cannot be read');
    return null;
  }
}

/** As container platforms hand out secrets: `BRIDGE_SECRET_FILE=/run/secrets/bridge`. */
function readSecretFile(
  name: SettingName,
  { env, readFile }: ConfigSources,
  problems: string[],
): string | undefined {
  const setting = SETTINGS[name];
  const path = setting.isSecret === true ? env[`${setting.env}_FILE`]?.trim() : undefined;
  if (path === undefined || path === '') return undefined;
  if ((env[setting.env]?.trim() ?? '') !== '')
    problems.push(`${setting.env}: give either it or ${setting.env}_FILE`);
  try {
    return readFile(path);
  } catch (error) {
    problems.push(
      `${setting.env}_FILE: ${path} cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`,
    );
    return undefined;
  }
}

function readConfigFile(
  path: string | undefined,
  { readFile }: ConfigSources,
  problems: string[],
): Record<string, string> | null {
  if (path === undefined) return {};
  try {
    const parsed: unknown = JSON.parse(readFile(path));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new TypeError('it is not an object');
    const known = new Set(SETTING_NAMES.map((name) => SETTINGS[name].env));
    const entries = Object.entries(parsed);
    for (const [key, value] of entries) {
      if (!known.has(key)) problems.push(`${path}: ${key} is no setting`);
      else if (typeof value === 'object') problems.push(`${path}: ${key} must be a text or a number`);
    }
    return Object.fromEntries(entries.map(([key, value]) => [key, String(value)]));
  } catch (error) {
    problems.push(`${path} cannot be used: ${describe(error)}`);
    return null;
  }
}

/** What JSON.parse says may quote the file, and the file may hold secrets. */
function describe(error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not JSON';
  return error instanceof Error ? error.message : 'unknown error';
}
