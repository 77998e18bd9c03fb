import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkHistory } from '../history/checker.ts';
import type { Fact, History, Operation, TaskKind, View } from '../history/history.ts';

const ID = 'S';
/** Nodes are silent from 0 to 50 s; after the grace their memory counts as lost. */
const LAPSE: Fact = { kind: 'lapse', at: 30_000, until: 60_000, text: '' };

function view(version: number, nonces: readonly string[]): View {
  const place = { home: 0, source: 'bridge', isStale: false, copies: 2 } as const;
  return { session: version === 0 ? null : ID, version, nonces, count: 0, owner: null, ...place };
}

interface Seen {
  readonly start: number;
  readonly floor: number;
  readonly before: View;
  readonly after?: View;
  readonly nonce?: string;
}

function operation(kind: TaskKind, { start, floor, before, after = before, nonce }: Seen): Operation {
  return {
    browser: 'one',
    instance: 'one',
    kind,
    isFresh: true,
    session: floor === 0 ? null : ID,
    floor,
    isCarrying: false,
    nonce: nonce ?? null,
    start,
    end: start + 1,
    outcome: 'ok',
    error: null,
    before,
    after,
    cookies: [],
  };
}

const NOTHING = view(0, []);
const FIRST = operation('save', { start: 0, floor: 0, before: NOTHING, after: view(1, ['a']), nonce: 'a' });
const SECOND = operation('save', {
  start: 10,
  floor: 1,
  before: view(1, ['a']),
  after: view(2, ['a', 'b']),
  nonce: 'b',
});

function broken(
  operations: readonly Operation[],
  facts: readonly Fact[] = [LAPSE],
  idleMs: number = 1e9,
): string[] {
  const history: History = { maxStaleMs: 0, idleMs, deadlineMs: 1_000, nodes: 3, operations, facts };
  return checkHistory(history).map(({ check }) => check);
}

function readAt(start: number, floor: number, before: View): Operation {
  return operation('read', { start, floor, before });
}

test('what was acknowledged before the end of a lapse may be given up, and only then', () => {
  const older = [FIRST, SECOND, readAt(70_000, 1, view(1, ['a']))];
  assert.deepEqual(broken(older), []);
  assert.deepEqual(broken(older, []), ['durable']);
  const third = { start: 61_000, floor: 2, before: view(2, ['a', 'b']), nonce: 'c' };
  const after = operation('save', { ...third, after: view(3, ['a', 'b', 'c']) });
  assert.deepEqual(broken([FIRST, SECOND, after, readAt(70_000, 1, view(2, ['a', 'b']))]), ['durable']);
});

test('during a lapse "no session" may be said, and not after it', () => {
  assert.deepEqual(broken([FIRST, readAt(40_000, 1, NOTHING)]), []);
  assert.deepEqual(broken([FIRST, readAt(20_000, 1, NOTHING)]), ['durable']);
  assert.deepEqual(broken([FIRST, readAt(70_000, 1, NOTHING)]), ['durable']);
});

test('a lapse excuses neither what was ended nor less than a cookie says', () => {
  const end = operation('destroy', { start: 20, floor: 2, before: view(2, ['a', 'b']), after: NOTHING });
  assert.deepEqual(broken([FIRST, SECOND, end, readAt(40_000, 2, view(2, ['a', 'b']))]), ['ended']);
  assert.deepEqual(broken([FIRST, SECOND, readAt(40_000, 2, view(1, ['a']))]), ['monotonic']);
});

test('a session that gets another id has what was acknowledged under the old one', () => {
  const moved = (before: View, nonces: readonly string[]): Operation => {
    const after = { ...view(1, nonces), session: 'T' };
    return operation('regenerate', { start: 20, floor: 1, before, after, nonce: 'c' });
  };
  const both = view(2, ['a', 'b']);
  assert.deepEqual(broken([FIRST, SECOND, moved(both, ['a', 'b', 'c'])], []), []);
  assert.deepEqual(broken([FIRST, SECOND, moved(both, ['a', 'c'])], []), ['no lost update']);
  // When it was idle for more than half of its time, some nodes may have forgotten the newest of it.
  assert.deepEqual(broken([FIRST, SECOND, moved(both, ['a', 'c'])], [], 10), []);
  // Also of what was acknowledged after it had begun.
  const late = { ...SECOND, start: 19, end: 40 };
  assert.deepEqual(broken([FIRST, moved(view(1, ['a']), ['a', 'c']), late], []), ['no lost update']);
  // Of two that move it at once, one comes late.
  assert.deepEqual(
    broken(
      [
        FIRST,
        SECOND,
        moved(both, ['a', 'b', 'c']),
        { ...moved(both, ['a', 'c']), after: { ...both, session: 'U' } },
      ],
      [],
    ),
    [],
  );
});

test('what a cookie carries is seen, and what was stored before it unless the nodes have lost that', () => {
  const loss: Fact = { kind: 'loss', at: 30, session: ID, text: '' };
  const carried = operation('save', {
    start: 20,
    floor: 2,
    before: view(2, ['a', 'b']),
    after: { ...view(3, ['a', 'b', 'c']), source: 'cookie' },
    nonce: 'c',
  });
  const comesHome = (nonces: readonly string[]): Operation => ({
    ...operation('read', { start: 40, floor: 3, before: view(3, nonces) }),
    isCarrying: true,
  });
  const before = [FIRST, SECOND, carried];
  assert.deepEqual(broken([...before, comesHome(['a', 'b', 'c'])], []), []);
  assert.deepEqual(broken([...before, comesHome(['a', 'c'])], [loss]), []);
  assert.deepEqual(broken([...before, comesHome(['a', 'b'])], [loss]), ['no lost update']);
  // Another save in the same outage: nobody knows whose cookie it was.
  const another = { ...carried, start: 21, end: 23, nonce: 'd', after: { ...view(3, ['a', 'b', 'd']) } };
  const second = { ...another, after: { ...another.after, source: 'cookie' as const } };
  assert.deepEqual(broken([...before, second, comesHome(['a', 'b', 'd'])], []), []);
});

test('a session is kept for half of its idle time after each use, and nobody asks for it later', () => {
  const gone = (start: number): Operation => readAt(start, 2, NOTHING);
  const used = readAt(400, 2, view(2, ['a', 'b']));
  assert.deepEqual(broken([FIRST, SECOND, gone(400)], [], 1_000), ['durable']);
  assert.deepEqual(broken([FIRST, SECOND, gone(600)], [], 1_000), []);
  assert.deepEqual(broken([FIRST, SECOND, used, gone(600)], [], 1_000), ['durable']);
  // What was forgotten may be remembered by a node that has less of it.
  const older = readAt(1_000, 1, view(1, ['a']));
  assert.deepEqual(broken([FIRST, SECOND, used, older, readAt(1_200, 1, view(1, ['a']))], [], 1_000), []);
});
