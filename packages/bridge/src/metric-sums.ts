/** Adds up the metrics of several processes, also of those that have ended. */
import { AggregatorRegistry } from 'prom-client';
import type { MetricJson } from './member.ts';

/** One list with the metrics of all lists. */
export async function sumMetrics(lists: readonly (readonly MetricJson[])[]): Promise<readonly MetricJson[]> {
  const [first = [], ...others] = lists.filter((list) => list.length > 0);
  if (others.length === 0) return first;
  return merge(lists).getMetricsAsJSON();
}

/** The same in the text format of Prometheus. */
export async function formatMetrics(lists: readonly (readonly MetricJson[])[]): Promise<string> {
  return merge(lists).metrics();
}

/** What goes on counting when its process has ended; the levels of a process end with it. */
export function keepCounters(metrics: readonly MetricJson[]): MetricJson[] {
  // prom-client's types say this is an enum; what it gives are these words.
  return metrics.filter(({ type }) => ['counter', 'histogram'].includes(String(type)));
}

function merge(lists: readonly (readonly MetricJson[])[]): ReturnType<typeof AggregatorRegistry.aggregate> {
  return AggregatorRegistry.aggregate(lists.map((list) => [...list]));
}
