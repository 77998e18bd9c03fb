/** Turns summed metrics into what a plot shows: rates and percentiles between two moments. Pure. */
import type { MetricJson } from './member.ts';
import { PREFIX } from './metrics.ts';

/** Everything counted since the start, at one moment. */
export interface Totals {
  /** Epoch milliseconds. */
  readonly at: number;
  /** Operations by what became of them. */
  readonly operations: Readonly<Record<OutcomeClass, number>>;
  readonly requests: Buckets;
  readonly events: Readonly<Record<string, number>>;
  readonly shed: number;
  readonly nodes: ReadonlyMap<number, NodeTotals>;
}

/** `refused`: conflicts and other answers that are the client's turn. `failed`: nobody could know, or a defect. */
export type OutcomeClass = 'done' | 'absent' | 'refused' | 'failed';

interface NodeTotals {
  readonly operations: number;
  readonly errors: number;
  readonly served: number;
  readonly seconds: Buckets;
}

/** Upper bounds in seconds with how many were at most that long, the bounds rising. */
type Buckets = readonly (readonly [upTo: number, count: number])[];

/** What happened between two moments, each number a second unless its name says otherwise. */
export interface Sample {
  /** Epoch milliseconds of its end. */
  readonly at: number;
  readonly operations: Readonly<Record<OutcomeClass, number>>;
  /** Percentiles of the time to an answer, milliseconds; null without requests. */
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly events: Readonly<Record<string, number>>;
  readonly shed: number;
  readonly nodes: readonly NodeSample[];
}

export interface NodeSample {
  readonly index: number;
  readonly operations: number;
  readonly errors: number;
  /** Answers given with what this node holds. */
  readonly served: number;
  /** Percentiles of the time of an operation on it, milliseconds; null without any. */
  readonly p50: number | null;
  readonly p99: number | null;
}

/** Adds up the metrics that samples are made of. */
export function readTotals(metrics: readonly MetricJson[], at: number): Totals {
  const values = (name: string): Value[] => [
    // The name that a part of a histogram has is missing in prom-client's types.
    ...((metrics.find((metric) => metric.name === PREFIX + name)?.values ?? []) as Value[]),
  ];
  return {
    at,
    operations: classify(values('operations_total')),
    requests: readBuckets(values('http_request_duration_seconds').filter(isForClients)),
    events: Object.fromEntries(
      values('session_events_total').map(({ labels, value }) => [String(labels['event']), value]),
    ),
    shed: sum(values('shed_total')),
    nodes: readNodes(values),
  };
}

/** What happened from one moment to another. */
export function compare(before: Totals, after: Totals): Sample {
  const seconds = Math.max(0.001, (after.at - before.at) / 1_000);
  const rate = (now: number, then: number): number => Math.max(0, now - then) / seconds;
  const requests = subtract(after.requests, before.requests);
  const { done, absent, refused, failed } = after.operations;
  return {
    at: after.at,
    operations: {
      done: rate(done, before.operations.done),
      absent: rate(absent, before.operations.absent),
      refused: rate(refused, before.operations.refused),
      failed: rate(failed, before.operations.failed),
    },
    p50: percentileMs(requests, 0.5),
    p95: percentileMs(requests, 0.95),
    p99: percentileMs(requests, 0.99),
    events: Object.fromEntries(
      Object.entries(after.events).map(([event, count]) => [event, rate(count, before.events[event] ?? 0)]),
    ),
    shed: rate(after.shed, before.shed),
    nodes: [...after.nodes].map(([index, now]) => {
      const then = before.nodes.get(index) ?? NOTHING;
      const took = subtract(now.seconds, then.seconds);
      return {
        index,
        operations: rate(now.operations, then.operations),
        errors: rate(now.errors, then.errors),
        served: rate(now.served, then.served),
        p50: percentileMs(took, 0.5),
        p99: percentileMs(took, 0.99),
      };
    }),
  };
}

/**
 * The time that a share of all did not exceed, milliseconds; taken as evenly spread within a bucket, as
 * Prometheus's histogram_quantile does. Null when there were none.
 */
export function percentileMs(buckets: Buckets, share: number): number | null {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const wanted = total * share;
  let lower = 0;
  let below = 0;
  for (const [upTo, count] of buckets) {
    if (count >= wanted) {
      // Nothing is known beyond the last bound.
      if (upTo === Number.POSITIVE_INFINITY) return lower * 1_000;
      const inside = count - below;
      const part = inside === 0 ? 0 : (wanted - below) / inside;
      return (lower + (upTo - lower) * part) * 1_000;
    }
    lower = upTo;
    below = count;
  }
  return lower * 1_000;
}

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number | undefined>>;
  readonly metricName?: string;
}

const NOTHING: NodeTotals = { operations: 0, errors: 0, served: 0, seconds: [] };
const CLIENT_ROUTES: ReadonlySet<unknown> = new Set(['session', 'touch', 'batch']);

function isForClients({ labels }: Value): boolean {
  return CLIENT_ROUTES.has(labels['route']);
}

function classify(values: readonly Value[]): Record<OutcomeClass, number> {
  const sums = { done: 0, absent: 0, refused: 0, failed: 0 };
  for (const { labels, value } of values) sums[classOf(Number(labels['status']))] += value;
  return sums;
}

function classOf(status: number): OutcomeClass {
  if (status < 400) return 'done';
  if (status === 404 || status === 410) return 'absent';
  return status < 500 ? 'refused' : 'failed';
}

function sum(values: readonly Value[]): number {
  return values.reduce((total, { value }) => total + value, 0);
}

function readNodes(values: (name: string) => Value[]): Map<number, NodeTotals> {
  const served = byNode(values('node_served_total'));
  const seconds = byNode(values('node_operation_duration_seconds'));
  const nodes = new Map<number, NodeTotals>();
  for (const [index, ended] of byNode(values('node_operations_total'))) {
    nodes.set(index, {
      operations: sum(ended),
      errors: sum(ended.filter(({ labels }) => labels['outcome'] !== 'ok')),
      served: sum(served.get(index) ?? []),
      seconds: readBuckets(seconds.get(index) ?? []),
    });
  }
  return nodes;
}

/** In one pass: there may be a hundred nodes, and this runs every second. */
function byNode(values: readonly Value[]): Map<number, Value[]> {
  const groups = new Map<number, Value[]>();
  for (const value of values) {
    const index = Number(value.labels['node']);
    const group = groups.get(index);
    if (group === undefined) groups.set(index, [value]);
    else group.push(value);
  }
  return groups;
}

/** The counts of several label sets together, by bound. */
function readBuckets(values: readonly Value[]): Buckets {
  const counts = new Map<number, number>();
  for (const { labels, value, metricName } of values) {
    if (metricName?.endsWith('_bucket') !== true) continue;
    const upTo = labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels['le']);
    counts.set(upTo, (counts.get(upTo) ?? 0) + value);
  }
  return [...counts].toSorted(([a], [b]) => a - b);
}

function subtract(now: Buckets, then: Buckets): Buckets {
  const before = new Map(then);
  return now.map(([upTo, count]) => [upTo, Math.max(0, count - (before.get(upTo) ?? 0))]);
}
