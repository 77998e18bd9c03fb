import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  carry,
  planReturn,
  readCarried,
  returningRecord,
  writeCarried,
  type Carried,
} from '../../packages/client/src/carried.ts';
import { diffFields, fieldsOf, joinFields, type Fields } from '../../packages/client/src/fields.ts';
import { includesSave, lastChange, nextHistory, nextLog } from '../../packages/client/src/history.ts';
import type { SessionRecord } from '../../packages/client/src/index.ts';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';
let nonces = 0;

/** The record of a save on top of another. */
function save(
  base: SessionRecord | null,
  data: Record<string, unknown>,
  version = (base?.version ?? 0) + 1,
): SessionRecord {
  const fields: Fields = new Map(Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)]));
  const changes = diffFields(fieldsOf(base), fields);
  return {
    id: ID,
    version,
    savedAt: 1,
    startedAt: 1,
    nonce: `n${(nonces += 1)}`,
    log: nextLog(base),
    ...nextHistory(base, changes, { version, fields }),
    codec: 'json',
    data: joinFields(fields),
  };
}

/** The saves of an outage, one after the other, on top of a stored record. */
function carryAll(base: SessionRecord | null, ...saves: Record<string, unknown>[]): Carried {
  let before: SessionRecord | Carried | null = base;
  let carried: Carried | null = null;
  for (const data of saves) {
    const previous: SessionRecord | null = carried?.record ?? base;
    const record = save(previous, data);
    carried = carry(record, before, diffFields(fieldsOf(previous), fieldsOf(record)));
    before = carried;
  }
  assert.ok(carried);
  return carried;
}

function dataAfter(carried: Carried, stored: SessionRecord): unknown {
  const plan = planReturn(carried, stored);
  return plan.kind === 'write' ? JSON.parse(joinFields(plan.fields)) : plan.kind;
}

test('carried data is read back as it was sealed, for its own id and app only', () => {
  const carried = carryAll(save(null, { a: 1, b: 2 }), { a: 2, b: 2 }, { a: 2 });
  const payload: unknown = JSON.parse(JSON.stringify(writeCarried(carried, 'default')));
  const read = readCarried(payload, { id: ID, app: 'default' });
  assert.ok(read);
  assert.equal(read.base, 1);
  assert.deepEqual(
    read.changes,
    new Map([
      ['a', 2],
      ['b', 3],
    ]),
  );
  assert.equal(read.record.data, '{"a":2}');
  assert.deepEqual(read.record.log, carried.record.log);
  assert.equal(readCarried(payload, { id: ID, app: 'other' }), null);
  assert.equal(readCarried(payload, { id: ID.replace('6', '7'), app: 'default' }), null);
});

test('a payload that is not carried data is none, whatever it is', () => {
  const good = writeCarried(carryAll(null, { a: 1 }), 'default');
  for (const change of [
    { base: -1 },
    { base: 1 },
    { ver: '1' },
    { data: [] },
    { data: null },
    { chg: null },
    { ini: undefined },
    { iat: 1.5 },
    { jti: '' },
    { cdc: 1 },
  ]) {
    assert.equal(
      readCarried({ ...good, ...change }, { id: ID, app: 'default' }),
      null,
      JSON.stringify(change),
    );
  }
  fc.assert(
    fc.property(fc.anything(), (payload) => {
      assert.equal(readCarried(payload, { id: ID, app: 'default' }), null);
    }),
  );
});

test('data returns as a whole when nobody has saved since', () => {
  const base = save(null, { a: 1, b: 1 });
  assert.deepEqual(dataAfter(carryAll(base, { a: 2, c: 1 }), base), { a: 2, c: 1 });
});

test('of fields that others have changed since, theirs stay; the rest returns', () => {
  const base = save(null, { a: 1, b: 1, d: 1 });
  const carried = carryAll(base, { a: 2, b: 2, c: 2 });
  const stored = save(base, { a: 3, b: 1, d: 1 });
  const plan = planReturn(carried, stored);
  assert.ok(plan.kind === 'write');
  assert.deepEqual(JSON.parse(joinFields(plan.fields)), { a: 3, b: 2, c: 2 });
  assert.deepEqual(plan.lost, ['a']);
  assert.equal(plan.version, 3);
});

test('a field that others have deleted since stays deleted', () => {
  const base = save(null, { a: 1, b: 1 });
  const carried = carryAll(base, { a: 2, b: 1 });
  const stored = save(base, { b: 1 });
  assert.deepEqual(planReturn(carried, stored), { kind: 'superseded', lost: ['a'] });
});

test('data that has returned is known again, and an old cookie brings nothing back', () => {
  const base = save(null, { a: 1 });
  const old = carryAll(base, { a: 2 });
  const plan = planReturn(old, base);
  assert.ok(plan.kind === 'write');
  let stored = returningRecord(old, base, plan);
  assert.deepEqual(planReturn(old, stored), { kind: 'included' });
  for (let n = 0; n < 12; n += 1) stored = save(stored, { a: 3, n });
  assert.equal(includesSave(stored, old.record.nonce), false);
  assert.deepEqual(planReturn(old, stored), { kind: 'superseded', lost: ['a'] });
  // Even when what it set has been deleted, and the deletion has been forgotten among many.
  stored = save(stored, {});
  for (let n = 0; n < 40; n += 1) stored = save(save(stored, { [`k${n}`]: 1 }), {});
  assert.equal(stored.changed?.has('a'), false);
  assert.deepEqual(planReturn(old, stored), { kind: 'superseded', lost: ['a'] });
});

test('a carried save that had been stored after all is not a conflict with itself', () => {
  const base = save(null, { a: 1, b: 1 });
  const first = carryAll(base, { a: 2, b: 1 });
  const both = (() => {
    const record = save(first.record, { a: 3, b: 1 });
    return carry(record, first, diffFields(fieldsOf(first.record), fieldsOf(record)));
  })();
  // The first write reached the nodes, only its answer was lost.
  const applied = save(base, { a: 2, b: 1 });
  const stored: SessionRecord = { ...applied, nonce: first.record.nonce };
  assert.deepEqual(dataAfter(both, stored), { a: 3, b: 1 });
  // And somebody saved another field on top of it.
  const later = save(stored, { a: 2, b: 9 });
  assert.deepEqual(dataAfter(both, later), { a: 3, b: 9 });
});

test('a carried save that had returned under another version is not a conflict with itself', () => {
  const base = save(null, { a: 1, b: 1 });
  const first = carryAll(base, { a: 2, b: 1 });
  const others = save(save(save(base, { a: 1, b: 2 }), { a: 1, b: 3 }), { a: 1, b: 4 });
  const plan = planReturn(first, others);
  assert.ok(plan.kind === 'write');
  const returned = returningRecord(first, others, plan);
  assert.equal(returned.version, 5);
  const record = save(first.record, { a: 3, b: 1 });
  const both = carry(record, first, diffFields(fieldsOf(first.record), fieldsOf(record)));
  assert.deepEqual(dataAfter(both, returned), { a: 3, b: 4 });
});

test('what others saved stays when a carried save came home on top of it under the version it had already', () => {
  const base = save(null, { a: 1 });
  const first = carryAll(base, { a: 1, c: 1 }, { a: 1, c: 2 });
  const returned = (others: SessionRecord): SessionRecord => {
    const plan = planReturn(first, others);
    assert.ok(plan.kind === 'write');
    return returningRecord(first, others, plan);
  };
  const record = save(first.record, { a: 1, c: 2, d: 1 });
  const next = carry(record, first, diffFields(fieldsOf(first.record), fieldsOf(record)));
  for (const others of [save(base, { a: 1, b: 1 }), save(base, { a: 2 })]) {
    const stored = returned(others);
    assert.equal(stored.version, first.record.version);
    const expected = { ...(JSON.parse(stored.data) as object), d: 1 };
    assert.deepEqual(dataAfter(next, stored), expected);
  }
});

test('when the nodes have lost everything newer, the data returns as a whole', () => {
  const old = save(null, { a: 1 });
  const base = save(save(old, { a: 2 }), { a: 2, b: 1 });
  assert.deepEqual(dataAfter(carryAll(base, { a: 5, b: 1 }), old), { a: 5, b: 1 });
});

test('another save under the version of the base is merged, not overwritten', () => {
  const first = save(null, { a: 1 });
  const mine = save(first, { a: 1, mine: 1 });
  const fork = save(first, { a: 1, theirs: 1 });
  assert.equal(mine.version, fork.version);
  assert.deepEqual(dataAfter(carryAll(mine, { a: 1, mine: 1, c: 1 }), fork), { a: 1, theirs: 1, c: 1 });
});

test('a record’s history knows the last change of every field, and forgets old deletions safely', () => {
  let record = save(null, { keep: 1 });
  for (let n = 0; n < 50; n += 1) {
    record = save(record, { keep: 1, [`k${n}`]: 1 });
    record = save(record, { keep: 1 });
  }
  assert.equal(lastChange(record, 'keep'), 1);
  assert.equal(lastChange(record, 'k49'), 101);
  assert.equal(record.changed?.size, 33);
  // Forgotten: it may have changed as late as the latest of the forgotten ones.
  assert.ok(lastChange(record, 'k0') >= 3);
  assert.equal(lastChange({ ...record, changed: null }, 'keep'), record.version);
  assert.equal(record.log.length, 8);
});
