import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { WarningLog } from '../../packages/bridge/src/warning-log.ts';

test('a warning is written when it comes, and again only when it was gone', () => {
  const lines: string[] = [];
  const log = new WarningLog(pino({}, { write: (line) => void lines.push(line) }));
  const udp = { node: 1, code: 'udp', text: 'It listens on UDP.' };
  const evicted = (count: number) => ({ node: 0, code: 'evicted', text: `It has forgotten ${count} items.` });
  log.report([udp]);
  log.report([udp, evicted(1)]);
  log.report([udp, evicted(2)]);
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { code: string }).code),
    ['udp', 'evicted'],
  );
  log.report([]);
  log.report([udp]);
  assert.equal(lines.length, 3);
  assert.match(lines[2] ?? '', /"level":40.*"node":1.*node 1: It listens on UDP\./);
  log.report([udp, { node: null, code: 'file', text: 'line 1 is wrong' }]);
  assert.equal(lines.length, 3, 'files have lines of their own');
});
