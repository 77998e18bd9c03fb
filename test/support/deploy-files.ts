/** The files that operators start from, read as what they are. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Setting, SETTING_NAMES, SETTINGS } from '../../packages/bridge/src/settings.ts';

export const DEPLOY: string = new URL('../../packages/bridge/deploy', import.meta.url).pathname;
export const ROOT: string = new URL('../..', import.meta.url).pathname;

/** The text of a file below `deploy`. */
export function readDeployFile(path: string): string {
  return readFileSync(join(DEPLOY, path), 'utf8');
}

/** All documents of a YAML file. Throws on anything that is not quite YAML, duplicate keys included. */
export function readYaml<T>(path: string): T[] {
  return parseAllDocuments(readDeployFile(path), { merge: true }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings];
    if (problem !== undefined) throw problem;
    // The shape is what the caller's assertions are about.
    return document.toJS() as T;
  });
}

/** Every name that the bridge's environment may have. */
export const SETTING_ENVIRONMENT: ReadonlySet<string> = new Set(
  SETTING_NAMES.flatMap((name) => {
    const { env, isSecret }: Setting = SETTINGS[name];
    return isSecret === true ? [env, `${env}_FILE`] : [env];
  }),
);

/** What a metrics query asks for: the names of metrics in it. */
export function findMetrics(expression: string): string[] {
  return expression.match(/\b(?:memsession|nodejs|process)_[a-z0-9_]+/g) ?? [];
}
