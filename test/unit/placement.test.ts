import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  type Candidate,
  chooseHome,
  place,
  rank,
  rankWindow,
  WINDOW_SIZE,
} from '../../packages/bridge/src/placement.ts';

const IDS = Array.from({ length: 100_000 }, (_, number) =>
  createHash('md5').update(String(number)).digest('hex').toUpperCase(),
);

for (const nodes of [3, 10, 100]) {
  test(`the sessions of one dead node of ${nodes} spread evenly over the others`, () => {
    const indexes = Array.from({ length: nodes }, (_, index) => index);
    const before = countFirst(indexes);
    const after = countFirst(indexes.slice(1));
    const share = IDS.length / (nodes - 1);
    assert.ok(Math.max(...after.values()) <= 1.15 * share, `${Math.max(...after.values())} of ${share}`);
    for (const index of indexes.slice(1)) assert.ok((after.get(index) ?? 0) >= (before.get(index) ?? 0));
  });
}

test('only the sessions of a node that leaves get another order', () => {
  for (const id of IDS.slice(0, 1_000)) {
    const all = rank(id, [0, 1, 2, 3, 4]);
    assert.deepEqual(
      rank(id, [0, 1, 3, 4]),
      all.filter((index) => index !== 2),
    );
  }
});

test('the order depends neither on the order of the list nor on the last half of the id', () => {
  const id = '602F7397FBE4D9932E59A9D0E52FE178';
  assert.deepEqual(rank(id, [4, 2, 0, 1, 3]), rank(id, [0, 1, 2, 3, 4]));
  assert.deepEqual(rank(id, [0, 1, 2]), rank(`${id.slice(0, 16)}0000000000000000`, [0, 1, 2]));
});

test('however many nodes there are, a session belongs to a window of them', () => {
  const many = Array.from({ length: 1_000 }, (_, index) => index);
  assert.equal(rank('602F7397FBE4D9932E59A9D0E52FE178', many).length, WINDOW_SIZE);
});

test('copies are the first nodes that are available, those that are draining last', () => {
  const window = [node(2, { isAvailable: false }), node(0, { isDraining: true }), node(3), node(1)];
  assert.deepEqual(place(window, 2, null), { window, copies: [3, 1], spares: [0] });
  const few = [node(0, { isDraining: true }), node(1)];
  assert.deepEqual(place(few, 2, null).copies, [1, 0], 'better a copy there than none');
});

test('a ref with another index changes nothing but what is asked', () => {
  const window = [node(2), node(0), node(3)];
  const stranger = node(7);
  assert.deepEqual(place(window, 2, stranger), {
    window: [...window, stranger],
    copies: [2, 0],
    spares: [3],
  });
});

test('the home stays where the ref says as long as that node holds a copy', () => {
  assert.equal(chooseHome([2, 0], 0), 0);
  assert.equal(chooseHome([2, 0], 3), 2);
  assert.equal(chooseHome([2, 0], null), 2);
  assert.equal(chooseHome([], 3), null);
});

function node(index: number, changes: Partial<Candidate> = {}): Candidate {
  return { index, isAvailable: true, isDraining: false, isLost: false, ...changes };
}

function countFirst(indexes: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const id of IDS) {
    const [first = -1] = rank(id, indexes, 1);
    counts.set(first, (counts.get(first) ?? 0) + 1);
  }
  return counts;
}

test('five nodes may be appended before sessions are used again: what was among the first three of a session stays in its window', () => {
  const before = [0, 1, 2, 3, 4, 5];
  for (const id of IDS.slice(0, 10_000)) {
    const window = rank(id, [...before, 6, 7, 8, 9, 10]);
    for (const index of rank(id, before, 3)) assert.ok(window.includes(index));
  }
  const isLost = IDS.slice(0, 10_000).some((id) => {
    const window = rank(id, [...before, 6, 7, 8, 9, 10, 11]);
    return rank(id, before, 3).some((index) => !window.includes(index));
  });
  assert.ok(isLost, 'six are one too many');
});

test('however many nodes are being drained, there is one more than copies to go to', () => {
  const all = Array.from({ length: 30 }, (_, index) => index);
  const staying = all.filter((index) => index >= 24);
  for (const copies of [1, 2, 3]) {
    for (const id of IDS.slice(0, 3_000)) {
      const window = rankWindow(id, { all, staying }, copies);
      assert.deepEqual(
        window,
        rank(id, all, 30).filter((index) => window.includes(index)),
      );
      assert.deepEqual(window.slice(0, WINDOW_SIZE), rank(id, all));
      assert.ok(window.filter((index) => staying.includes(index)).length >= copies + 1);
      assert.ok(window.length <= WINDOW_SIZE + copies + 1);
    }
  }
});
