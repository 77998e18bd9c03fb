import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ADMIN_ERRORS, createAdminApi } from '../../packages/bridge/src/admin-api.ts';

const page = await readFile(new URL('../../docs/admin-api.md', import.meta.url), 'utf8');

test('every error code of the operator’s interface is documented with its status', () => {
  const rows = [...page.matchAll(/^\| `([a-z_]+)` +\| (\d{3}) +\|/gm)];
  assert.deepEqual(
    Object.fromEntries(rows.map(([, code = '', status]) => [code, Number(status)])),
    ADMIN_ERRORS,
  );
});

test('every route of the operator’s interface is documented, and no other', () => {
  // Only the routes are looked at; nothing is asked.
  const nothing = {} as Parameters<typeof createAdminApi>[0];
  const routes = createAdminApi(nothing).routes.map(
    ({ method, path }) => `${method} /admin${path.replace(/:(\w+)\{[^/]+\}/, '{$1}')}`,
  );
  const rows = [...page.matchAll(/^\| `(GET|POST|PUT) (\/admin[^?` ]*)/gm)];
  assert.deepEqual(rows.map(([, method, path]) => `${method} ${path}`).toSorted(), routes.toSorted());
});
