import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AggregatorRegistry, Counter, Histogram, Registry } from 'prom-client';
import { TallyCounter, TallyHistogram } from '../../packages/bridge/src/tally.ts';

const BUCKETS = [0.001, 0.01, 0.1];
const VALUES = [0.0005, 0.001, 0.05, 7];

/** The same events, counted by us and by prom-client itself. */
function countBoth(): readonly [Registry, Registry] {
  const [ours, theirs] = [new Registry(), new Registry()];
  const names = { name: 'requests_total', help: 'Requests.', labelNames: ['node', 'operation', 'outcome'] };
  const seconds = { name: 'seconds', help: 'Time.', buckets: BUCKETS };
  const tally = new TallyCounter({ ...names, registry: ours });
  const counter = new Counter({ ...names, registers: [theirs] });
  const tallied = new TallyHistogram({ ...seconds, labelName: 'node', registry: ours });
  const histogram = new Histogram({ ...seconds, labelNames: ['node'], registers: [theirs] });
  for (const node of [0, 1]) {
    for (const outcome of ['ok', 'timeout', 'ok']) {
      tally.add(node, 'gets', outcome);
      counter.inc({ node, operation: 'gets', outcome });
    }
    for (const value of VALUES) {
      tallied.add(node, value);
      histogram.observe({ node }, value);
    }
  }
  return [ours, theirs];
}

const sorted = (text: string): string[] => text.split('\n').toSorted();

test('tallies are printed as prom-client prints its own metrics', async () => {
  const [ours, theirs] = countBoth();
  assert.deepEqual(sorted(await ours.metrics()), sorted(await theirs.metrics()));
});

test('collecting twice counts nothing twice', async () => {
  const [ours] = countBoth();
  const first = await ours.metrics();
  assert.equal(await ours.metrics(), first);
});

test('tallies of several processes add up as those of prom-client do', async () => {
  const [ours, theirs] = countBoth();
  const sum = async (registry: Registry): Promise<string> => {
    const metrics = await registry.getMetricsAsJSON();
    return AggregatorRegistry.aggregate([metrics, metrics]).metrics();
  };
  assert.deepEqual(sorted(await sum(ours)), sorted(await sum(theirs)));
});
