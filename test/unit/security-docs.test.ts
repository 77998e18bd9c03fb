import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

const ROOT = new URL('../../', import.meta.url);
const page = await readFile(new URL('docs/security.md', ROOT), 'utf8');

test('every attack in the table names a test that exists', async () => {
  const rows = page
    .split('\n')
    .filter((line) => /^\| (?!attack|what|-{3})/.test(line) && !/^\| \w+ +\| \d/.test(line));
  assert.ok(rows.length > 30, `${rows.length} rows`);
  for (const row of rows) {
    const named = [...row.matchAll(/`(test\/[\w/.-]+\.ts)` “([^”]+)”/g)];
    assert.ok(named.length > 0, `without a test: ${row.slice(0, 80)}`);
    for (const [, file = '', title = ''] of named) {
      const source = await readFile(new URL(file, ROOT), 'utf8');
      // As it stands between quotes, alone or as the end of a title that is put together.
      assert.ok(
        source.includes(`${title}'`) || source.includes(`${title}\``) || source.includes(`${title}, and`),
        `${file}: ${title}`,
      );
    }
  }
});

test('the least versions of the page are those of the packages', async () => {
  const text = await readFile(new URL('packages/bridge/package.json', ROOT), 'utf8');
  const { dependencies } = JSON.parse(text) as { dependencies: Record<string, string> };
  for (const name of ['hono', 'jose']) {
    const least = new RegExp(`^\\| ${name} +\\| ([\\d.]+)`, 'm').exec(page)?.[1] ?? '';
    const asked = dependencies[name]?.replace(/^[\^~]/, '') ?? '';
    assert.ok(
      asked.localeCompare(least, 'en', { numeric: true }) >= 0,
      `${name} ${asked}, at least ${least}`,
    );
  }
});
