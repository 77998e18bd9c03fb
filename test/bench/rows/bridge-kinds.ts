/** The bridge's other requests beside a plain read: conditional ones, touches, batches, two workers. */
import { startWebdis } from '../contenders.ts';
import { compare, type Line } from '../line.ts';
import { BATCH_CONNECTIONS, LOADS, OPERATIONS_PER_BATCH } from '../loads.ts';
import { atLeast, type Contestant, playRounds, samplesOf } from '../measure.ts';
import type { MeasureOptions, Row } from '../row.ts';
import { makeRecord, Stack, type Stored } from '../stack.ts';
import { loaded } from '../wrk.ts';

const SESSIONS = 1_000;
const BYTES = 1_024;

async function measureConditional({ rounds }: MeasureOptions): Promise<Line[]> {
  await using stack = await Stack.start();
  const sessions = await stack.seed(SESSIONS, BYTES);
  const contestants = ['get', 'known', 'touch'].map((name) => contestant(name, stack, sessions));
  const samples = await playRounds(contestants, rounds);
  const line = (what: string, name: string): Line =>
    compare({
      what: `${what}, one worker, 64 connections`,
      against: 'plain GET',
      unit: '/s',
      ours: samplesOf(samples, name),
      theirs: samplesOf(samples, 'get'),
      goal: atLeast(1),
    });
  return [line('bridge: conditional GET (304)', 'known'), line('bridge: touch', 'touch')];
}

function contestant(name: string, stack: Stack, sessions: readonly Stored[]): Contestant {
  const kind = LOADS[name];
  if (kind === undefined) throw new TypeError(`There is no load ${name}.`);
  return loaded(name, stack.bridge, { ...kind, url: stack.url, script: kind.script(stack, sessions) });
}

/** Each answer to a batch counts for all of its sessions. */
async function measureBatch({ rounds }: MeasureOptions): Promise<Line[]> {
  await using stack = await Stack.start();
  const webdis = await startWebdis();
  try {
    const batch = LOADS['batch'];
    if (batch === undefined) throw new TypeError('There is no load of batches.');
    const ours = loaded('ours', stack.bridge, {
      ...batch,
      url: stack.url,
      script: batch.script(stack, []),
      each: OPERATIONS_PER_BATCH,
    });
    const single = contestant('put', stack, []);
    const theirs = loaded('webdis', webdis.process, { url: webdis.url, script: setScript });
    const samples = await playRounds([ours, single, theirs], rounds);
    const what = `sessions stored in batches of ${OPERATIONS_PER_BATCH}, two copies each, 1 KiB, ${BATCH_CONNECTIONS} connections`;
    const common = { what, unit: '/s', ours: samplesOf(samples, 'ours') };
    return [
      compare({
        ...common,
        against: 'webdis SET, one by one, one copy, 64 connections',
        theirs: samplesOf(samples, 'webdis'),
        goal: atLeast(2),
      }),
      compare({
        ...common,
        against: 'the same bridge, PUT one by one, 64 connections',
        theirs: samplesOf(samples, 'put'),
      }),
    ];
  } finally {
    await webdis.stop();
  }
}

const setScript = async (): Promise<string> => `
local i = 0
local headers = {}
local record = "${makeRecord(BYTES)}"
request = function()
  i = i + 1
  return wrk.format("PUT", "/SET/bench-" .. i, headers, record)
end
`;

/** Load generator, nodes and both workers share the machine's cores, pinned to none. */
async function measureWorkers({ rounds }: MeasureOptions): Promise<Line[]> {
  const contestants: Contestant[] = [];
  await using one = await Stack.start({ core: 'any' });
  await using two = await Stack.start({ core: 'any', env: { WORKERS: '2' } });
  for (const [name, stack] of Object.entries({ one, two })) {
    const sessions = await stack.seed(SESSIONS, BYTES);
    const get = LOADS['get']?.script(stack, sessions);
    if (get === undefined) throw new TypeError('There is no load of reads.');
    contestants.push(loaded(name, stack.bridge, { url: stack.url, script: get, core: 'any' }));
  }
  const samples = await playRounds(contestants, rounds);
  // The processor time would be that of the parent alone.
  const times = (name: string) => samplesOf(samples, name).map(({ value }) => ({ value, cpuMicros: null }));
  return [
    compare({
      what: 'bridge with two workers: GET of 1 KiB, 64 connections',
      against: 'one worker',
      unit: '/s',
      ours: times('two'),
      theirs: times('one'),
      note: 'Load generator, nodes and workers share all cores here: with two cores there is no room for a second worker to show more than this.',
    }),
  ];
}

export const bridgeConditional: Row = {
  name: 'bridge-known',
  title: 'conditional reads and touches',
  measure: measureConditional,
};

export const bridgeBatch: Row = { name: 'bridge-batch', title: 'batches', measure: measureBatch };

export const bridgeWorkers: Row = { name: 'workers', title: 'two workers', measure: measureWorkers };
