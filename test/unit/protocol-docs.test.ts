import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ERRORS } from '@memsession/client/protocol';

const DOC = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');

test('the table of errors in docs/protocol.md is the table in the code', () => {
  const rows = [...DOC.matchAll(/^\| `(\w+)` +\| ([\d–]+) +\| (yes|no) +\| (.+?) +\|$/gm)].map((row) =>
    row.slice(1, 5),
  );
  const wanted = Object.entries(ERRORS).map(([code, { status, retryable, meaning }]) => [
    code,
    status === null ? '–' : String(status),
    retryable ? 'yes' : 'no',
    meaning,
  ]);
  assert.deepEqual(rows, wanted);
});
