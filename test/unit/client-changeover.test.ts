/** Bridges that are restarted in turn, in a time that the test owns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeferredOperations } from '../../packages/client/src/deferred.ts';
import type { Fetch } from '../../packages/client/src/index.ts';
import { Transport } from '../../packages/client/src/transport.ts';
import { Random } from '../simulation/random.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';

const ID = '602F7397FBE4D9932E59A9D0E52FE178';
const TIMEOUT_MS = 1_000;

interface Absence {
  readonly bridge: number;
  readonly from: number;
  readonly to: number;
}

/** One after the other is away; whoever is next waits until the last one is back, or hardly. */
function drawAbsences(random: Random, bridges: number): Absence[] {
  const absences: Absence[] = [];
  let at = random.between(0, 500);
  for (let turn = 0; turn < 4 * bridges; turn += 1) {
    const to = at + random.between(50, random.pick([200, 1_500, 6_000]));
    absences.push({ bridge: turn % bridges, from: at, to });
    at = to + random.between(0, random.pick([20, 400]));
  }
  return absences;
}

function nameOf(bridge: number): string {
  return `http://bridge-${bridge}.test`;
}

/** Those that are away refuse connections; everything takes some milliseconds. */
function createNetwork(clock: FakeClock, random: Random, absences: readonly Absence[]): Fetch {
  const memory = new MemoryBridge({ secrets: {}, isOpen: true, now: () => clock.now() });
  const pass = (ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve));
  return async (url, init) => {
    await pass(random.between(0, 10));
    const isAway = absences.some(
      ({ bridge, from, to }) => url.startsWith(nameOf(bridge)) && clock.now() >= from && clock.now() < to,
    );
    await pass(random.between(0, 20));
    if (isAway) throw new TypeError('fetch failed');
    return memory.fetch(url, init);
  };
}

interface Stage {
  readonly clock: FakeClock;
  readonly random: Random;
  readonly bridges: number;
  readonly absences: readonly Absence[];
  /** Instead of a network with these absences. */
  readonly fetch?: Fetch;
}

function createTransport({ clock, random, bridges, absences, fetch }: Stage): Transport {
  return new Transport({
    app: 'default',
    breakers: new Map(),
    deferred: new DeferredOperations(),
    bridgeUrls: Array.from({ length: bridges }, (_, bridge) => nameOf(bridge)),
    bridgeSecret: '',
    bridgeToken: () => 'nobody looks at it',
    timeoutMs: TIMEOUT_MS,
    maxInFlight: 64,
    maxRecordBytes: 1_000,
    fetch: fetch ?? createNetwork(clock, random, absences),
    clock,
    wallClock: clock,
    random: (length) => Uint8Array.from({ length }, () => random.below(256)),
  });
}

/** Calls from the beginning to the end; gives the times of those that failed. */
async function play(seed: number, bridges: number): Promise<{ calls: number; failed: string[] }> {
  const random = new Random(seed);
  const clock = new FakeClock();
  const absences = drawAbsences(random, bridges);
  const transport = createTransport({ clock, random, bridges, absences });
  const failed: string[] = [];
  const calls: Promise<unknown>[] = [];
  const gapMs = random.pick([5, 20, 100]);
  while (clock.now() < (absences.at(-1)?.to ?? 0)) {
    const at = Math.round(clock.now());
    const call = transport.send({ method: 'GET', ref: `${ID}.${random.below(3)}` });
    calls.push(call.catch((error: unknown) => failed.push(`seed ${seed} at ${at} ms: ${String(error)}`)));
    await clock.advance(random.between(0, 2 * gapMs));
  }
  await clock.advance(2 * TIMEOUT_MS);
  await Promise.all(calls);
  return { calls: calls.length, failed };
}

for (const bridges of [2, 3]) {
  test(`while ${bridges} bridges are restarted in turn, no call is told of an outage`, async () => {
    const failed: string[] = [];
    let calls = 0;
    for (let seed = 1; seed <= 12; seed += 1) {
      const played = await play(seed, bridges);
      calls += played.calls;
      failed.push(...played.failed);
    }
    assert.ok(calls > 1_000, 'there were calls');
    assert.deepEqual(failed, []);
  });
}

/** How long it takes until a call fails, milliseconds. */
async function timeFailure(transport: Transport, clock: FakeClock): Promise<number> {
  const began = clock.now();
  const ends: number[] = [];
  transport.send({ method: 'GET', ref: ID }).catch(() => ends.push(clock.now()));
  while (ends.length === 0) await clock.advance(10);
  return (ends[0] ?? began) - began;
}

test('when all bridges go at once, calls wait for six tenths of the deadline, in the first second only', async () => {
  const clock = new FakeClock();
  const absences = [0, 1].map((bridge) => ({ bridge, from: 0, to: Infinity }));
  const transport = createTransport({ clock, random: new Random(1), bridges: 2, absences });
  const first = await timeFailure(transport, clock);
  assert.ok(first >= 250 && first <= 700, `the first took ${first} ms`);
  while (clock.now() < 2_000) assert.ok((await timeFailure(transport, clock)) <= 700);
  // Later only for the answer to a probe, which is that there is nobody.
  while (clock.now() < 10_000) assert.ok((await timeFailure(transport, clock)) <= 40);
});

test('in an outage without any answer, calls wait a moment for each probe and no longer', async () => {
  const clock = new FakeClock();
  const fetch: Fetch = () => new Promise(() => undefined);
  const transport = createTransport({ clock, random: new Random(1), bridges: 2, absences: [], fetch });
  while (clock.now() < 12_000) await timeFailure(transport, clock);
  // One after the other: where nobody waits, one call is made every ten milliseconds.
  let waits = 0;
  const began = clock.now();
  while (clock.now() < began + 20_000) {
    const tookMs = await timeFailure(transport, clock);
    assert.ok(tookMs <= 160, `${tookMs} ms`);
    if (tookMs > 10) waits += 1;
  }
  // Each second has a probe of each bridge.
  assert.ok(waits >= 15 && waits <= 40, `${waits} calls waited within twenty seconds`);
});

test('after an outage without any answer a bridge is found within a second and a bit', async () => {
  for (const bridges of [1, 2]) {
    for (let lastMs = 40_000; lastMs < 42_000; lastMs += 250) {
      const clock = new FakeClock();
      const healthy = createNetwork(clock, new Random(3), []);
      const fetch: Fetch = (url, init) =>
        clock.now() < lastMs ? new Promise(() => undefined) : healthy(url, init);
      const transport = createTransport({ clock, random: new Random(1), bridges, absences: [], fetch });
      while (clock.now() < lastMs) await timeFailure(transport, clock);
      const answers: unknown[] = [];
      while (answers.length === 0) {
        transport.send({ method: 'GET', ref: ID }).then(
          (answer) => answers.push(answer),
          () => undefined,
        );
        await clock.advance(20);
      }
      const tookMs = clock.now() - lastMs;
      assert.ok(tookMs <= 1_300, `${bridges} bridges: ${tookMs} ms`);
    }
  }
});

for (const bridges of [1, 2]) {
  for (const idleMs of [1_300, 5_000, 17_000, 60_000]) {
    test(`the first calls after ${idleMs} ms without any find an outage of ${bridges} over`, async () => {
      const clock = new FakeClock();
      const absences = Array.from({ length: bridges }, (_, bridge) => ({ bridge, from: 0, to: 8_000 }));
      const transport = createTransport({ clock, random: new Random(2), bridges, absences });
      while (clock.now() < 7_000) await timeFailure(transport, clock);
      await clock.advance(8_000 + idleMs - clock.now());
      const statuses: unknown[] = [];
      for (let call = 0; call < 5; call += 1) {
        const answer = transport.send({ method: 'GET', ref: ID });
        answer.then(({ status }) => statuses.push(status)).catch((error: unknown) => statuses.push(error));
        await clock.advance(5);
      }
      await clock.advance(TIMEOUT_MS);
      assert.deepEqual(statuses, [404, 404, 404, 404, 404]);
    });
  }
}
