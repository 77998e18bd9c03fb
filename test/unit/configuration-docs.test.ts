import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseAppsFile } from '../../packages/bridge/src/apps-file.ts';
import { parseNodesFile } from '../../packages/bridge/src/node-list.ts';
import { type Setting, SETTING_NAMES, SETTINGS } from '../../packages/bridge/src/settings.ts';

const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');

/** The cells of all table rows below a heading. */
function rowsBelow(heading: string): string[][] {
  const [, section = ''] = page.split(`\n${heading}\n`);
  const [text = ''] = section.split(/\n#+ /);
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The first block of code below a heading. */
function codeBelow(heading: string): string {
  const [, section = ''] = page.split(`\n${heading}\n`);
  return /```\w*\n(.*?)```/s.exec(section)?.[1] ?? '';
}

test('docs/configuration.md has every setting with its names, default and meaning, and no other', () => {
  const settings = SETTING_NAMES.map((name): Setting => SETTINGS[name]);
  for (const group of new Set(settings.map((setting) => setting.group))) {
    const expected = settings
      .filter((setting) => setting.group === group)
      .map(({ env, flag, default: fallback, help, isSecret }) => [
        `\`${env}\`${isSecret === true ? ' \\*' : ''}`,
        `\`--${flag}\``,
        fallback === '' ? '' : `\`${fallback}\``,
        help,
      ]);
    assert.deepEqual(rowsBelow(`### ${group}`), expected, group);
  }
});

test('the files that docs/configuration.md shows are valid', () => {
  assert.deepEqual(parseNodesFile(codeBelow('## NODES_FILE')).ok, true);
  const apps = parseAppsFile(codeBelow('## APPS_FILE'));
  assert.ok(apps.ok, JSON.stringify(apps));
  assert.deepEqual([...apps.apps.keys()], ['shop', 'admin', '*']);
});
