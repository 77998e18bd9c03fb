import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { DeskMetrics } from '../../packages/bridge/src/desk-metrics.ts';
import type { NodeState } from '../../packages/bridge/src/health.ts';
import { Metrics, PREFIX, type ShedReason } from '../../packages/bridge/src/metrics.ts';
import type { NodeWarning } from '../../packages/bridge/src/node-facts.ts';
import type { NodeErrorKind } from '../../packages/bridge/src/node.ts';
import type { StoreEvent } from '../../packages/bridge/src/observer.ts';

interface Row {
  readonly name: string;
  readonly type: string;
  readonly labels: string;
  readonly help: string;
}

const text = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8');

/** What the two registries of a bridge hold. */
function registered(): Row[] {
  const worker = new Metrics('0');
  worker.watchLevels(() => ({ inFlight: 0, queued: 0, bodyBytes: 0, connections: 0, doubts: 0, nodes: [] }));
  const metrics = [worker.registry, new DeskMetrics().registry].flatMap((each) => each.getMetricsAsArray());
  return metrics.map((metric) => {
    // prom-client keeps them in fields that its types do not show.
    const { type = '', labelNames = [] } = metric as unknown as { type?: string; labelNames?: string[] };
    return { name: metric.name, type, labels: labelNames.join(' '), help: metric.help };
  });
}

/** The rows of the documentation that begin with a metric's name. */
function documented(): Row[] {
  const rows = text.matchAll(/^\| `(memsession_\w+)` +\| (\w+) +\| (.*?) +\| (.*?) +\|$/gm);
  return [...rows].map(([, name = '', type = '', labels = '', help = '']) => ({
    name,
    type,
    labels: labels.replaceAll('`', '').trim(),
    help,
  }));
}

test('every metric is documented with its type, its labels and the words of its help', () => {
  const byName = (a: Row, b: Row): number => a.name.localeCompare(b.name);
  assert.deepEqual(documented().toSorted(byName), registered().toSorted(byName));
});

test('names end with their unit, counters with _total, and every help is a sentence', () => {
  for (const { name, type, help } of registered()) {
    assert.ok(name.startsWith(PREFIX), name);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    if (type === 'histogram') assert.match(name, /_seconds$/);
    assert.match(help, /^[A-Z0-9].*\.$/, name);
    if (/seconds|bytes/.test(name)) assert.match(help, /, (seconds|bytes)\.$/, `${name} tells its unit`);
  }
});

test('every value of a label that stands for something is explained', () => {
  // The compiler keeps these lists whole.
  const words = {
    event: {
      relocation: 1,
      conflict: 1,
      fork: 1,
      repair: 1,
      degraded: 1,
      widened: 1,
      passed_over: 1,
      unknown: 1,
    } satisfies Record<StoreEvent, 1>,
    reason: { overloaded: 1, rate_limited: 1, connections: 1 } satisfies Record<ShedReason, 1>,
    state: { up: 1, suspected: 1, down: 1, probing: 1, removed: 1 } satisfies Record<
      NodeState | 'removed',
      1
    >,
    code: {
      old_version: 1,
      evicts: 1,
      evicted: 1,
      udp: 1,
      small_items: 1,
      text_protocol: 1,
      nearly_full: 1,
    } satisfies Record<NodeWarning['code'], 1>,
    outcome: {
      ok: 1,
      refused_by_us: 1,
      refused: 1,
      unreachable: 1,
      closed: 1,
      timeout: 1,
      protocol: 1,
      auth: 1,
      busy: 1,
      out_of_memory: 1,
      too_large: 1,
      server: 1,
    } satisfies Record<NodeErrorKind | 'ok' | 'refused_by_us', 1>,
  };
  for (const [label, values] of Object.entries(words))
    for (const value of Object.keys(values))
      assert.match(text, new RegExp(`^\\| \`${value}\` +\\|`, 'm'), `${label}: ${value}`);
});
