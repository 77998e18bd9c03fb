/** Finds the text of each setting: in the flags, the environment, a file of its own, or the JSON file. Pure. */
import { readFlags } from './setting-flags.ts';
import { SETTING_NAMES, SETTINGS, type SettingName } from './settings.ts';

/** Where settings come from. */
export interface ConfigSources {
  /** Flags without the program's name, e.g. `['--port', '4780']`. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a file; throws when it cannot be read. */
  readonly readFile: (path: string) => string;
}

/** The text of each setting, and what is wrong with the sources themselves. */
export function readSettings(sources: ConfigSources): {
  values: Map<SettingName, string>;
  problems: string[];
  /** Whether every source could be read; when not, a text that is not there may have been given all the same. */
  isComplete: boolean;
} {
  const { flags, problems } = readFlags(sources.args);
  const file = readConfigFile(flags.get('config'), sources);
  const secrets = new Map(SETTING_NAMES.map((name) => [name, readSecretFile(name, sources)]));
  problems.push(...file.problems, ...[...secrets.values()].flatMap((secret) => secret.problems));
  const values = new Map<SettingName, string>();
  for (const name of SETTING_NAMES) {
    const { env, flag, default: fallback } = SETTINGS[name];
    // An empty text is how deployment tools say "not set".
    const given = [flags.get(flag), sources.env[env], secrets.get(name)?.text, file.texts[env]].map((text) =>
      text?.trim(),
    );
    values.set(name, given.find((text) => text !== undefined && text !== '') ?? fallback);
  }
  return { values, problems, isComplete: problems.length === 0 };
}

/** As container platforms hand out secrets: `BRIDGE_SECRET_FILE=/run/secrets/bridge`. */
function readSecretFile(
  name: SettingName,
  { env, readFile }: ConfigSources,
): { readonly text?: string; readonly problems: readonly string[] } {
  const setting = SETTINGS[name];
  const path = setting.isSecret === true ? (env[`${setting.env}_FILE`]?.trim() ?? '') : '';
  if (path === '') return { problems: [] };
  const isTwice = (env[setting.env]?.trim() ?? '') !== '';
  const problems = isTwice ? [`${setting.env}: give either it or ${setting.env}_FILE`] : [];
  try {
    return { text: readFile(path), problems };
  } catch (error) {
    return { problems: [...problems, `${setting.env}_FILE: ${path} cannot be read: ${describe(error)}`] };
  }
}

function readConfigFile(
  path: string | undefined,
  { readFile }: ConfigSources,
): { readonly texts: Readonly<Record<string, string>>; readonly problems: readonly string[] } {
  if (path === undefined) return { texts: {}, problems: [] };
  try {
    const parsed: unknown = JSON.parse(readFile(path));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
      throw new TypeError('it is not an object');
    const known = new Set(SETTING_NAMES.map((name) => SETTINGS[name].env));
    const entries = Object.entries(parsed);
    const problems = entries.flatMap(([key, value]) => {
      if (!known.has(key)) return [`${path}: ${key} is no setting`];
      return typeof value === 'object' ? [`${path}: ${key} must be a text or a number`] : [];
    });
    const usable = entries.filter(([, value]) => typeof value !== 'object');
    return { texts: Object.fromEntries(usable.map(([key, value]) => [key, String(value)])), problems };
  } catch (error) {
    return { texts: {}, problems: [`${path} cannot be used: ${describe(error)}`] };
  }
}

/** What JSON.parse says may quote the file, and the file may hold secrets. */
function describe(error: unknown): string {
  if (error instanceof SyntaxError) return 'it is not JSON';
  return error instanceof Error ? error.message : 'unknown error';
}
