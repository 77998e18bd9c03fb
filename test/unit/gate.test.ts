import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Bodies } from '../../packages/bridge/src/body.ts';
import { Gate } from '../../packages/bridge/src/gate.ts';
import { FakeClock, settle } from '../support/fake-clock.ts';

interface Work {
  readonly outcome: Promise<string>;
  readonly finish: () => void;
  readonly hasBegun: () => boolean;
}

function begin(gate: Gate, arrival: { app?: string; operations?: number; limit?: number } = {}): Work {
  let finish = (): void => {};
  let begun = false;
  const done = new Promise<void>((resolve) => (finish = resolve));
  const outcome = gate.run({ app: 'shop', operations: 1, ...arrival }, async () => {
    begun = true;
    await done;
    return 'done';
  });
  return { outcome, finish: () => finish(), hasBegun: () => begun };
}

function makeGate(clock: FakeClock, overrides: Partial<ConstructorParameters<typeof Gate>[0]> = {}): Gate {
  return new Gate({ clock, maxInFlight: 2, appMaxInFlight: 100, maxQueueMs: 100, ...overrides });
}

test('work is done as it comes while there are places', async () => {
  const gate = makeGate(new FakeClock());
  const [a, b] = [begin(gate), begin(gate)];
  await settle();
  assert.deepEqual([a.hasBegun(), b.hasBegun(), gate.inFlight], [true, true, 2]);
  a.finish();
  b.finish();
  assert.deepEqual(await Promise.all([a.outcome, b.outcome]), ['done', 'done']);
  assert.equal(gate.inFlight, 0);
});

test('without a place it waits its turn, and not longer than the limit', async () => {
  const clock = new FakeClock();
  const gate = makeGate(clock);
  const [a, b, c, d] = [begin(gate), begin(gate), begin(gate), begin(gate)];
  await settle();
  assert.deepEqual([c.hasBegun(), gate.queued], [false, 2]);
  a.finish();
  await settle();
  assert.deepEqual([c.hasBegun(), d.hasBegun()], [true, false]);
  await clock.advance(100);
  assert.equal(await d.outcome, 'overloaded');
  assert.equal(d.hasBegun(), false);
  b.finish();
  c.finish();
  await Promise.all([a.outcome, b.outcome, c.outcome]);
  assert.deepEqual([gate.inFlight, gate.queued], [0, 0]);
});

test('an app over its limit waits for itself, and leaves the places to others', async () => {
  const clock = new FakeClock();
  const gate = makeGate(clock, { maxInFlight: 10, appMaxInFlight: 2 });
  const mine = [begin(gate), begin(gate), begin(gate), begin(gate)];
  const theirs = begin(gate, { app: 'blog' });
  const limited = [begin(gate, { app: 'tiny', limit: 1 }), begin(gate, { app: 'tiny', limit: 1 })];
  await settle();
  assert.deepEqual(
    [...mine, theirs, ...limited].map((work) => work.hasBegun()),
    [true, true, false, false, true, true, false],
  );
  mine[0]?.finish();
  await settle();
  assert.deepEqual([mine[2]?.hasBegun(), mine[3]?.hasBegun()], [true, false]);
  await clock.advance(100);
  assert.equal(await mine[3]?.outcome, 'rate_limited');
  assert.equal(await limited[1]?.outcome, 'rate_limited');
  for (const work of [...mine, theirs, ...limited]) work.finish();
  await Promise.all([...mine, theirs, ...limited].map(({ outcome }) => outcome));
  assert.deepEqual([gate.inFlight, gate.queued], [0, 0]);
  const again = begin(gate, { app: 'tiny', limit: 1 });
  again.finish();
  assert.equal(await again.outcome, 'done', 'the place is free again');
});

test('apps that wait take turns, however long their lines are', async () => {
  const gate = makeGate(new FakeClock(), { maxInFlight: 2, appMaxInFlight: 2 });
  const order: string[] = [];
  const come = (app: string): Promise<unknown> =>
    gate.run({ app, operations: 2 }, async () => {
      order.push(app);
      await settle();
    });
  await Promise.all(['a', 'a', 'a', 'a', 'b', 'c', 'b'].map(come));
  assert.deepEqual(order, ['a', 'a', 'b', 'c', 'a', 'b', 'a']);
});

test('a line that is far too long is refused at once', async () => {
  const clock = new FakeClock();
  const gate = makeGate(clock, { maxInFlight: 10, appMaxInFlight: 2 });
  const all = Array.from({ length: 11 }, () => begin(gate));
  assert.equal(await all[10]?.outcome, 'rate_limited');
  const others = Array.from({ length: 41 }, (_, index) => begin(gate, { app: `app-${index}` }));
  assert.equal(await others[40]?.outcome, 'overloaded');
  await clock.advance(100);
  for (const work of [...all, ...others]) work.finish();
  await Promise.all([...all, ...others].map(({ outcome }) => outcome));
  assert.deepEqual([gate.inFlight, gate.queued], [0, 0]);
});

test('where nothing may wait, what has no place is refused with its reason', async () => {
  const gate = makeGate(new FakeClock(), { maxInFlight: 2, appMaxInFlight: 1, maxQueueMs: 0 });
  const mine = begin(gate);
  assert.equal(await begin(gate).outcome, 'rate_limited');
  const theirs = begin(gate, { app: 'blog' });
  assert.equal(await begin(gate, { app: 'third' }).outcome, 'overloaded');
  for (const work of [mine, theirs]) work.finish();
  await Promise.all([mine.outcome, theirs.outcome]);
});

test('any arrivals leave nothing behind, and never more under way than may be', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          app: fc.constantFrom('a', 'b', 'c'),
          operations: fc.integer({ min: 1, max: 8 }),
          tookMs: fc.integer({ min: 0, max: 60 }),
          pauseMs: fc.integer({ min: 0, max: 20 }),
          fails: fc.boolean(),
        }),
        { maxLength: 40 },
      ),
      async (arrivals) => {
        const clock = new FakeClock();
        const gate = makeGate(clock, { maxInFlight: 6, appMaxInFlight: 4 });
        const outcomes: Promise<unknown>[] = [];
        for (const { app, operations, tookMs, pauseMs, fails } of arrivals) {
          const work = async (): Promise<string> => {
            assert.ok(gate.inFlight <= 6);
            await new Promise<void>((resolve) => clock.after(tookMs, resolve));
            if (fails) throw new Error('defect');
            return 'done';
          };
          outcomes.push(gate.run({ app, operations }, work).catch(() => 'failed'));
          await clock.advance(pauseMs);
        }
        await clock.advance(10_000);
        for (const outcome of await Promise.all(outcomes))
          assert.ok(['done', 'failed', 'rate_limited', 'overloaded'].includes(String(outcome)));
        assert.deepEqual([gate.inFlight, gate.queued], [0, 0]);
      },
    ),
    { numRuns: 50 },
  );
});

test('a batch takes a place for each of its operations, and a large one is let in alone', async () => {
  const clock = new FakeClock();
  const gate = makeGate(clock, { maxInFlight: 4 });
  const batch = begin(gate, { operations: 3 });
  const next = begin(gate, { operations: 2 });
  await settle();
  assert.deepEqual([gate.inFlight, next.hasBegun()], [3, false]);
  batch.finish();
  await settle();
  assert.ok(next.hasBegun());
  next.finish();
  await next.outcome;
  const huge = begin(gate, { operations: 128 });
  await settle();
  assert.deepEqual([huge.hasBegun(), gate.inFlight], [true, 4]);
  huge.finish();
  assert.equal(await huge.outcome, 'done');
});

test('the place of work that fails is free again', async () => {
  const gate = makeGate(new FakeClock(), { maxInFlight: 1, appMaxInFlight: 1 });
  const failing = gate.run({ app: 'shop', operations: 1 }, () => Promise.reject(new Error('defect')));
  await assert.rejects(failing);
  const next = begin(gate);
  next.finish();
  assert.equal(await next.outcome, 'done');
});

function chunked(sizes: readonly number[]): Request {
  const body = new ReadableStream({
    pull(controller) {
      const size = sizes[pulled];
      pulled += 1;
      if (size === undefined) controller.close();
      else controller.enqueue(new Uint8Array(size));
    },
  });
  let pulled = 0;
  return new Request('http://bridge/', { method: 'PUT', body, duplex: 'half' });
}

test('a body without a length is refused as soon as it is too large', async () => {
  const bodies = new Bodies(1_000_000);
  let pulled = 0;
  const endless = new ReadableStream({
    pull(controller) {
      pulled += 65_536;
      assert.ok(pulled <= 131_072 || bodies.heldBytes === 0, 'what is thrown away is not held');
      controller.enqueue(new Uint8Array(65_536));
    },
  });
  const request = new Request('http://bridge/', { method: 'PUT', body: endless, duplex: 'half' });
  assert.equal(await bodies.read(request, 10_000, async () => 'taken'), 'too_large');
  assert.ok(pulled < 20_000_000, 'and not read to an end that never comes');
  assert.equal(bodies.heldBytes, 0);
});

test('the rest of a refused body is not waited for when it does not come', async () => {
  const clock = new FakeClock();
  const bodies = new Bodies(1_000_000, clock);
  const stalled = new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(20_000)),
    pull: () => new Promise<void>(() => {}),
  });
  const request = new Request('http://bridge/', { method: 'PUT', body: stalled, duplex: 'half' });
  let outcome = '';
  const reading = bodies.read(request, 10_000, async () => 'taken').then((each) => (outcome = each));
  await clock.advance(1_000);
  assert.deepEqual([outcome, bodies.heldBytes], ['', 0]);
  await clock.advance(1_000);
  await reading;
  assert.equal(outcome, 'too_large');
});

test('all bodies together are bounded, and each counts until its work has ended', async () => {
  const bodies = new Bodies(10_000);
  let finish = (): void => {};
  const first = bodies.read(chunked([4_000, 4_000]), 9_000, async (body) => {
    await new Promise<void>((resolve) => (finish = resolve));
    return `${body.length}`;
  });
  await settle();
  assert.equal(bodies.heldBytes, 8_000);
  assert.equal(await bodies.read(chunked([3_000]), 9_000, async () => 'taken'), 'overloaded');
  assert.equal(bodies.heldBytes, 8_000);
  finish();
  assert.equal(await first, '8000');
  assert.equal(bodies.heldBytes, 0);
  assert.equal(await bodies.read(chunked([3_000]), 9_000, async ({ length }) => `${length}`), '3000');
});
