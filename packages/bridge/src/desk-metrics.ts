/** What is counted once for the whole bridge: its processes, its files, and what memcached says of itself. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Crew } from './crew.ts';
import { PREFIX } from './metrics.ts';
import type { NodeFacts } from './node-facts.ts';
import type { Overview } from './overview.ts';

type FactName = Exclude<keyof NodeFacts, 'index' | 'version' | 'warnings'>;

const LEVELS: readonly (readonly [FactName, string, string])[] = [
  ['uptimeSeconds', 'uptime_seconds', 'Time since memcached started, seconds.'],
  ['items', 'items', 'Items held, those that have expired included until memcached finds them.'],
  ['usedBytes', 'used_bytes', 'Memory used for items, bytes.'],
  ['limitBytes', 'limit_bytes', 'Memory allowed for items, bytes.'],
  ['connections', 'connections', 'Open connections.'],
];

const COUNTS: readonly (readonly [FactName, string, string])[] = [
  ['evictions', 'evictions_total', 'Items forgotten for want of memory: each is a lost back-up.'],
  ['hits', 'hits_total', 'Reads that found something.'],
  ['misses', 'misses_total', 'Reads that found nothing.'],
];

/** The instruments of the desk. */
export class DeskMetrics {
  readonly registry: Registry = new Registry();
  readonly #processes: Gauge;
  readonly #crashes: Counter;
  readonly #fileProblems: Gauge;
  readonly #epoch: Gauge;
  readonly #draining: Gauge<'node'>;
  readonly #warnings: Gauge<'node' | 'code'>;
  readonly #levels: readonly (readonly [FactName, Gauge<'node'>])[];
  readonly #counts: readonly (readonly [FactName, Counter<'node'>])[];

  constructor() {
    const options = <T extends string>(
      name: string,
      help: string,
      labelNames: T[] = [],
    ): { name: string; help: string; labelNames: T[]; registers: Registry[] } => ({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [this.registry],
    });
    this.#processes = new Gauge(options('processes', 'Processes that serve clients.'));
    this.#crashes = new Counter(
      options('process_crashes_total', 'Processes that ended without being told to.'),
    );
    this.#fileProblems = new Gauge(
      options('file_problems', 'Problems in NODES_FILE and APPS_FILE; the last good state stays in force.'),
    );
    this.#epoch = new Gauge(options('node_list_epoch', 'Changes of the node list since the start.'));
    this.#draining = new Gauge(options('node_draining', '1 when the node is being drained.', ['node']));
    this.#warnings = new Gauge(
      options('node_warnings', 'What should be changed about a node; the codes are documented.', [
        'node',
        'code',
      ]),
    );
    this.#levels = LEVELS.map(([fact, name, help]) => [
      fact,
      new Gauge(options(`memcached_${name}`, help, ['node'])),
    ]);
    this.#counts = COUNTS.map(([fact, name, help]) => [
      fact,
      new Counter(options(`memcached_${name}`, help, ['node'])),
    ]);
  }

  /** Takes over what is known now. */
  update({ nodes, warnings, epoch, processes }: Overview, { crashes }: Crew): void {
    this.#processes.set(processes);
    this.#crashes.reset();
    this.#crashes.inc(crashes);
    this.#epoch.set(epoch);
    this.#fileProblems.set(warnings.filter(({ code }) => code === 'file').length);
    this.#warnings.reset();
    for (const { node, code } of warnings) if (node !== null) this.#warnings.set({ node, code }, 1);
    for (const metric of [this.#draining, ...[...this.#levels, ...this.#counts].map(([, each]) => each)])
      metric.reset();
    for (const { index: node, isDraining, facts } of nodes) {
      this.#draining.set({ node }, isDraining ? 1 : 0);
      if (facts === null) continue;
      for (const [fact, gauge] of this.#levels) gauge.set({ node }, facts[fact]);
      // memcached counts by itself; what it says is taken over.
      for (const [fact, counter] of this.#counts) counter.inc({ node }, facts[fact]);
    }
  }
}
