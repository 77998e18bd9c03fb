/** What grows with what: sessions in the cache, nodes in the list, bytes in a record. */
import { BRIDGE_SECRET, createInstance, type Data, change, visit } from '../../support/client-instance.ts';
import { MemoryBridge } from '../../support/memory-bridge.ts';
import { TestBrowser } from '../../support/test-browser.ts';
import { SessionCache, type Held } from '../../../packages/client/src/cache.ts';
import { type Line, state } from '../line.ts';
import { getScript } from '../loads.ts';
import { atMost, playRounds, type Sample, samplesOf, spreadOf } from '../measure.ts';
import type { MeasureOptions, Row } from '../row.ts';
import { makeId, Stack } from '../stack.ts';
import { loaded } from '../wrk.ts';

const CACHED = [1_000, 10_000, 100_000, 1_000_000];
const NODES = [3, 10, 30, 100];
const RECORD_BYTES = [100, 1_024, 8_192, 65_536, 524_288];
/** Reads of one round. */
const READS = 2_000;
const BROWSERS = 200;
const SESSIONS = 200;
const SECONDS = 1;
const MOST_ROUNDS = 3;

/** "Flat": at most so many times the cost at the other end. */
const FLAT = 1.5;

async function measure({ rounds }: MeasureOptions): Promise<Line[]> {
  const few = Math.min(rounds, MOST_ROUNDS);
  return [...(await byCached()), ...(await byNodes(few)), ...(await byRecordBytes(few))];
}

/** Reads of sessions that lie scattered among others. */
async function byCached(): Promise<Line[]> {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const holder = {};
  const limits = { maxEntries: 2_000_000, maxBytes: 4_000_000_000 };
  const instance = createInstance(bridge.fetch, {
    maxStale: Infinity,
    holder,
    cache: limits,
    onEvent: () => undefined,
  });
  const browsers = Array.from({ length: BROWSERS }, () => new TestBrowser());
  for (const browser of browsers) {
    await change(instance, browser, (session: Data) =>
      Object.assign(session, { userId: '42', cart: ['a', 'b'] }),
    );
    await visit(instance, browser, () => undefined);
  }
  const cache = cacheIn(holder);
  const points: Point[] = [];
  for (const size of CACHED) {
    for (let at = points.at(-1)?.at ?? BROWSERS; at < size; at += 1) cache.put(makeHeld());
    const times: number[] = [];
    for (let round = 0; round <= 20; round += 1) {
      const requests = Array.from({ length: READS }, (_, at) => browsers[at % BROWSERS]?.request());
      const startedAt = performance.now();
      for (const request of requests) if (request !== undefined) await instance.manager.getSession(request);
      if (round > 0) times.push(((performance.now() - startedAt) * 1_000) / READS);
    }
    points.push({ at: size, samples: times.map((value) => ({ value, cpuMicros: null })) });
  }
  return linesOf(points, {
    name: (size) => `cached getSession among ${size.toLocaleString('en')} cached sessions`,
    unit: 'µs',
    growth: `from ${CACHED[0]?.toLocaleString('en')} to ${CACHED.at(-1)?.toLocaleString('en')} cached sessions`,
    most: FLAT,
  });
}

/** The cache of the instance whose memory is under the holder's only symbol. */
function cacheIn(holder: object): SessionCache {
  const [symbol] = Object.getOwnPropertySymbols(holder);
  const shelves: unknown = symbol === undefined ? undefined : Reflect.get(holder, symbol);
  const shelf: unknown = Array.isArray(shelves) ? shelves[0] : undefined;
  // Built by memory.ts; that it has a cache is checked here.
  const { memory } = shelf as { memory: { cache: unknown } };
  if (!(memory.cache instanceof SessionCache)) throw new Error('The instance keeps its sessions elsewhere.');
  return memory.cache;
}

function makeHeld(): Held {
  const now = Date.now();
  const record = {
    id: makeId(),
    version: 1,
    savedAt: now / 1_000,
    startedAt: now / 1_000,
    nonce: '',
    log: [],
    changed: null,
    cut: 0,
    codec: 'json',
    data: '{"userId":"42","cart":["a","b"]}',
  };
  return { record, index: 0, copies: 2, confirmedAt: now, touchedAt: now };
}

/** Processor time of the bridge for one read. */
async function byNodes(rounds: number): Promise<Line[]> {
  const points: Point[] = [];
  for (const count of NODES) points.push({ at: count, samples: await readCosts({ nodes: count, rounds }) });
  return linesOf(points, {
    name: (count) => `bridge GET of 1 KiB with ${count} nodes`,
    unit: 'µs of processor time',
    growth: `from ${NODES[0]} to ${NODES.at(-1)} nodes`,
    most: FLAT,
  });
}

async function byRecordBytes(rounds: number): Promise<Line[]> {
  const points: Point[] = [];
  for (const bytes of RECORD_BYTES) points.push({ at: bytes, samples: await readCosts({ bytes, rounds }) });
  const [fewer = 1, most = 1] = RECORD_BYTES.slice(-2);
  return linesOf(points, {
    name: (bytes) => `bridge GET of ${bytes.toLocaleString('en')} bytes`,
    unit: 'µs of processor time',
    growth: `from ${fewer.toLocaleString('en')} to ${most.toLocaleString('en')} bytes (linear would be ${most / fewer} ×)`,
    from: -2,
    most: (most / fewer) * FLAT,
  });
}

async function readCosts({
  nodes = 3,
  bytes = 1_024,
  rounds,
}: {
  nodes?: number;
  bytes?: number;
  rounds: number;
}): Promise<readonly Sample[]> {
  await using stack = await Stack.start({ nodes });
  const sessions = await stack.seed(SESSIONS, bytes);
  const given = { url: stack.url, script: getScript(stack, sessions), seconds: SECONDS, connections: 16 };
  const samples = await playRounds([loaded('get', stack.bridge, given)], rounds);
  return samplesOf(samples, 'get').map(({ cpuMicros, value }) => ({
    value: cpuMicros ?? 1_000_000 / value,
    cpuMicros,
  }));
}

interface Point {
  readonly at: number;
  readonly samples: readonly Sample[];
}

interface Series {
  readonly name: (at: number) => string;
  readonly unit: string;
  /** What the last line is about. */
  readonly growth: string;
  /** Which point the last one is compared with; the first when left out. */
  readonly from?: number;
  readonly most: number;
}

/** A line for each point, and one for how much more the last one costs. */
function linesOf(points: readonly Point[], { name, unit, growth, from = 0, most }: Series): Line[] {
  const middles = points.map(({ samples }) => spreadOf(samples.map(({ value }) => value)).median);
  const ratio = (middles.at(-1) ?? Number.NaN) / (middles.at(from) ?? Number.NaN);
  return [
    ...points.map(({ at, samples }) => state({ what: name(at), unit, samples })),
    state({
      what: `growth ${growth}`,
      unit: '×',
      samples: [{ value: ratio, cpuMicros: null }],
      goal: atMost(most, ' ×'),
    }),
  ];
}

export const scaling: Row = { name: 'scaling', title: 'what grows with what', measure };
