/** How long a small change takes to be saved, at half of the load that this process can make. */
import { PATHS } from '@memsession/client/protocol';
import { Client, Server } from 'memjs';
import { createInstance, type Instance, SECRET, visit } from '../../support/client-instance.ts';
import { TestBrowser } from '../../support/test-browser.ts';
import { BRIDGE_SECRET } from '../../support/app.ts';
import { compare, type Line } from '../line.ts';
import { atMost, quantile, type Sample } from '../measure.ts';
import type { MeasureOptions, Row } from '../row.ts';
import { makeRecord, Stack } from '../stack.ts';
import { callAtRate, callsPerSecond } from '../steady.ts';

const BROWSERS = 200;
const CALLERS = 16;
const CALIBRATE_MS = 1_000;
const ROUND_MS = 1_500;
const DATA_BYTES = 500;

/** Latencies of one round, milliseconds, sorted. */
type Latencies = readonly number[];

async function measure({ rounds }: MeasureOptions): Promise<Line[]> {
  await using stack = await Stack.start();
  const instance = createInstance(fetch, {
    bridgeUrl: stack.url,
    bridgeSecret: BRIDGE_SECRET,
    secret: SECRET,
    maxStale: Infinity,
    onEvent: () => undefined,
  });
  const browsers = await signIn(instance);
  const server = new Server('127.0.0.1', stack.nodePorts[0] ?? 0, '', '', { timeout: 1 });
  const client = new Client([server], { retries: 1 });
  const value = makeRecord(DATA_BYTES * 2);
  const ours = (took: (ms: number) => void) => saveOnce(instance, browsers, took);
  const theirs = async (took: (ms: number) => void): Promise<void> => {
    const startedAt = performance.now();
    await client.set(`bench-${Math.floor(Math.random() * BROWSERS)}`, value, { expires: 3_600 });
    took(performance.now() - startedAt);
  };
  // The least that any answer of a bridge takes, whatever is asked of it.
  const bare = async (took: (ms: number) => void): Promise<void> => {
    const startedAt = performance.now();
    await (await fetch(stack.url + PATHS.health)).text();
    took(performance.now() - startedAt);
  };
  const perSecond = (await callsPerSecond(CALLERS, CALIBRATE_MS, () => ours(() => undefined))) / 2;
  const all: Record<'ours' | 'theirs' | 'bare', Latencies[]> = { ours: [], theirs: [], bare: [] };
  for (let round = 0; round < rounds; round += 1) {
    all.ours.push(await latenciesOf(perSecond, ours));
    all.theirs.push(await latenciesOf(perSecond, theirs));
    all.bare.push(await latenciesOf(perSecond, bare));
  }
  server._socket?.destroy();
  const line = (share: number, name: string): Line =>
    compare({
      what: `save of a small change, ${name} at half load (${Math.round(perSecond)}/s), two copies`,
      against: 'memjs set alone, same process and rate',
      unit: 'ms',
      ours: samplesAt(all.ours, share),
      theirs: samplesAt(all.theirs, share),
      ...(share === 0.5 && { goal: atMost(3, ' ×') }),
      note: 'A save signs the record, sends it over HTTP, and returns when two nodes have acknowledged it one after the other by compare-and-swap; a set is one frame to one node.',
    });
  const floor = compare({
    what: `fetch() of the bridge's health, p50, at the same rate`,
    against: 'memjs set alone, same process and rate',
    unit: 'ms',
    ours: samplesAt(all.bare, 0.5),
    theirs: samplesAt(all.theirs, 0.5),
  });
  return [line(0.5, 'p50'), line(0.99, 'p99'), floor];
}

async function signIn(instance: Instance): Promise<TestBrowser[]> {
  const browsers = Array.from({ length: BROWSERS }, () => new TestBrowser());
  for (const browser of browsers) {
    await visit(instance, browser, async (session) => {
      session['name'] = makeRecord(DATA_BYTES);
      await session.save();
    });
  }
  return browsers;
}

/** One visit that changes one field; the time is that of the save alone. */
async function saveOnce(instance: Instance, free: TestBrowser[], took: (ms: number) => void): Promise<void> {
  const browser = free.shift();
  // All are busy: there is no visitor who could ask for more.
  if (browser === undefined) return;
  await visit(instance, browser, async (session) => {
    session.views = (session.views ?? 0) + 1;
    const startedAt = performance.now();
    await session.save();
    took(performance.now() - startedAt);
  });
  free.push(browser);
}

async function latenciesOf(
  perSecond: number,
  call: (took: (ms: number) => void) => Promise<void>,
): Promise<Latencies> {
  const latencies: number[] = [];
  await callAtRate({ perSecond, forMs: ROUND_MS }, () => call((ms) => latencies.push(ms)));
  return latencies.toSorted((a, b) => a - b);
}

function samplesAt(rounds: readonly Latencies[], share: number): Sample[] {
  return rounds.map((latencies) => ({ value: quantile(latencies, share), cpuMicros: null }));
}

export const saveLatency: Row = { name: 'save', title: 'time of a save', measure };
