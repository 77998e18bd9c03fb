import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fallsOf, keepsCookies, noNewCookie, noOutage } from '../chaos/demands.ts';
import { drawRow, formatPage } from '../chaos/page.ts';
import { drawRows } from '../chaos/rows.ts';
import { readRunLog, type RunLog, writeRunLog } from '../chaos/run-log.ts';
import { explain, formatTable, judge } from '../chaos/verdict.ts';
import type { Operation, View } from '../history/history.ts';

const VIEW: View = {
  session: 'A',
  version: 1,
  home: 0,
  source: 'bridge',
  isStale: false,
  copies: 2,
  nonces: ['n1'],
  count: 0,
  owner: 'b0',
};

function operation(change: Partial<Operation>): Operation {
  return {
    browser: 'b0',
    instance: 'instance 0',
    kind: 'read',
    isFresh: true,
    session: 'A',
    floor: 1,
    isCarrying: false,
    nonce: null,
    start: 100,
    end: 110,
    outcome: 'ok',
    error: null,
    before: VIEW,
    after: VIEW,
    cookies: [],
    ...change,
  };
}

const SAVE = operation({ kind: 'save', session: null, floor: 0, nonce: 'n1', start: 10, end: 20 });

function runLog(operations: readonly Operation[], change: Partial<RunLog> = {}): RunLog {
  return {
    row: 'F4',
    title: 'A node is killed',
    seed: 1,
    phases: { warm: 0, fault: 100, heal: 200, end: 300 },
    wholeAt: 250,
    lagMs: 5,
    events: { conflict: 3 },
    maxStaleMs: 0,
    idleMs: 1e9,
    deadlineMs: 1_000,
    nodes: 3,
    operations,
    facts: [{ kind: 'fault', at: 100, text: 'kill -9 node 0' }],
    states: [{ at: 130, bridge: 0, node: 0, to: 'down', reason: 'connection lost' }],
    measures: [],
    findings: [{ what: 'all is well', isHeld: true, detail: '' }],
    ...change,
  };
}

test('a history that was written is judged as it was', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'memsession-log-'));
  const log = runLog([
    SAVE,
    operation({}),
    operation({ outcome: 'fail', error: 'nodes_unavailable', end: 210 }),
  ]);
  await writeRunLog(join(folder, 'F4.jsonl'), log);
  const read = await readRunLog(join(folder, 'F4.jsonl'));
  await rm(folder, { recursive: true });
  assert.deepEqual(read, log);
  const verdict = judge(read);
  assert.deepEqual(
    [verdict.isGood, verdict.operations, verdict.acknowledged, verdict.outages, verdict.conflicts],
    [true, 3, 1, 1, 3],
  );
  assert.deepEqual([verdict.detectMs, verdict.healMs, verdict.longestMs], [30, 50, 110]);
});

test('a broken promise and a demand that is not met are told with row and seed', () => {
  const lost = operation({ before: { ...VIEW, session: null, version: 0, nonces: [], owner: null } });
  const verdict = judge(
    runLog([SAVE, lost], { findings: [{ what: 'it holds', isHeld: false, detail: '<why>' }] }),
  );
  assert.equal(verdict.isGood, false);
  assert.ok(explain(verdict).every((line) => line.startsWith('F4 (seed 1)')));
  assert.ok(verdict.violations.some(({ check }) => check === 'durable'));
  assert.match(formatTable([verdict]), /2 broken/);
  const page = formatPage([drawRow(runLog([SAVE, lost]), verdict)], 1);
  assert.ok(page.includes('&lt;why>') && !page.includes('<why>'));
  assert.ok(!/src=|href="http/.test(page), 'it needs nothing from elsewhere');
});

test('a browser that forgets its session without a logout is noticed', () => {
  const forgotten = operation({ session: null, floor: 0, start: 50, end: 60 });
  assert.equal(keepsCookies({ operations: [SAVE, forgotten] }).isHeld, false);
  const logout = operation({ kind: 'destroy', start: 30, end: 40 });
  assert.equal(keepsCookies({ operations: [SAVE, logout, forgotten] }).isHeld, true);
});

test('a new cookie in an outage, and an outage where there must be none, are noticed', () => {
  const renewed = operation({ kind: 'save', cookies: ['__Host-session', '__Host-session-at'] });
  assert.equal(noNewCookie({ operations: [renewed] }, 0, 200).isHeld, false);
  assert.equal(noNewCookie({ operations: [{ ...renewed, kind: 'regenerate' }] }, 0, 200).isHeld, true);
  // A logout that another tab had begun.
  const logout = operation({ kind: 'destroy', outcome: 'info', start: 5, end: 200 });
  assert.equal(noNewCookie({ operations: [logout, renewed] }, 0, 200).isHeld, true);
  const outage = operation({ outcome: 'fail', error: 'bridge_unavailable' });
  assert.equal(noOutage({ operations: [outage], lagMs: 10, stalls: [] }).isHeld, false);
  assert.equal(noOutage({ operations: [operation({})], lagMs: 10, stalls: [] }).isHeld, true);
  // It is told from 100 to 110.
  const isHeldBeside = (from: number, to: number): boolean =>
    noOutage({ operations: [outage], lagMs: 10, stalls: [{ from, to }] }).isHeld;
  assert.deepEqual(
    [isHeldBeside(105, 300), isHeldBeside(0, 50), isHeldBeside(111, 300)],
    [true, true, false],
  );
  const later = operation({ outcome: 'fail', error: 'bridge_unavailable', start: 900, end: 950 });
  assert.equal(noOutage({ operations: [later], lagMs: 10, stalls: [{ from: 0, to: 600 }] }).isHeld, false);
});

test('a node that was put down counts, but for one whose answers the run itself held up', () => {
  const phases = { warm: 0, fault: 100, heal: 2_000, end: 3_000 };
  const fallAt = (at: number) => ({ at, bridge: 0, node: 1, to: 'down', reason: '3 time-outs in a row' });
  const states = [50, 450, 1_250, 1_900].map(fallAt);
  const stalls = [{ from: 600, to: 1_100 }];
  const times = fallsOf({ states, stalls, phases }).map(({ at }) => at);
  assert.deepEqual(times, [450, 1_900]);
});

test('a seed draws the same rows each time, and every fault of the table is one of them', () => {
  const ids = drawRows(7, 2).map(({ id }) => id);
  assert.deepEqual(
    drawRows(7, 2).map(({ title }) => title),
    drawRows(7, 2).map(({ title }) => title),
  );
  for (let number = 1; number <= 25; number += 1) assert.ok(ids.includes(`F${number}`), `F${number}`);
  assert.deepEqual(ids.slice(-2), ['F26a', 'F26b']);
});
