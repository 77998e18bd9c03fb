/** Counters and histograms that cost little for each event: labels are put together when somebody collects. */
import {
  Counter,
  Histogram,
  type LabelValues,
  type MetricObjectWithValues,
  type MetricValueWithName,
} from 'prom-client';
import type { Registry } from 'prom-client';

interface TallyOptions {
  readonly name: string;
  readonly help: string;
  readonly registry: Registry;
}

export interface TallyCounterOptions<T extends string> extends TallyOptions {
  /** At most three. */
  readonly labelNames: readonly T[];
}

type Label = string | number;

/** What is counted for one set of label values, found without making a key of them. */
class Cells<C> {
  readonly #make: () => C;
  readonly #cells: Map<Label, Map<Label, Map<Label, C>>> = new Map();

  constructor(make: () => C) {
    this.#make = make;
  }

  at(first: Label, second: Label = '', third: Label = ''): C {
    const cell = this.#cells.get(first)?.get(second)?.get(third);
    return cell ?? this.#add(first, second, third);
  }

  /** Every cell with its label values. */
  *all(): Generator<readonly [labels: readonly Label[], cell: C]> {
    for (const [first, seconds] of this.#cells) {
      for (const [second, thirds] of seconds) {
        for (const [third, cell] of thirds) yield [[first, second, third], cell];
      }
    }
  }

  #add(first: Label, second: Label, third: Label): C {
    const seconds = this.#cells.get(first) ?? new Map<Label, Map<Label, C>>();
    const thirds = seconds.get(second) ?? new Map<Label, C>();
    const cell = this.#make();
    this.#cells.set(first, seconds.set(second, thirds.set(third, cell)));
    return cell;
  }
}

/** A counter that prom-client collects as one of its own. */
export class TallyCounter<T extends string> extends Counter<T> {
  readonly #labelNames: readonly T[];
  readonly #cells = new Cells(() => ({ count: 0 }));

  constructor({ name, help, labelNames, registry }: TallyCounterOptions<T>) {
    super({ name, help, labelNames: [...labelNames], registers: [registry] });
    this.#labelNames = labelNames;
  }

  /** There from now on, at 0: what appears with a count has never risen for who looks at rises. */
  begin(first: Label, second?: Label, third?: Label): void {
    this.#cells.at(first, second, third);
  }

  /** One more; the label values come in the order of the names. */
  add(first: Label, second?: Label, third?: Label): void {
    this.#cells.at(first, second, third).count += 1;
  }

  override get(): ReturnType<Counter<T>['get']> {
    this.reset();
    for (const [values, { count }] of this.#cells.all()) this.inc(toLabels(this.#labelNames, values), count);
    return super.get();
  }
}

interface Observed {
  /** By bucket; the last is for what is over all bounds. */
  readonly counts: number[];
  sum: number;
}

export interface TallyHistogramOptions<T extends string> extends TallyOptions {
  readonly labelName: T;
  /** Upper bounds, rising. */
  readonly buckets: readonly number[];
}

/** A histogram of one label. prom-client collects it as one of its own. */
export class TallyHistogram<T extends string> extends Histogram<T> {
  readonly #options: TallyHistogramOptions<T>;
  readonly #cells: Map<Label, Observed> = new Map();
  /** Stays empty; it knows what else belongs to a histogram. */
  readonly #empty: Histogram<T>;

  constructor(options: TallyHistogramOptions<T>) {
    const { name, help, labelName, buckets, registry } = options;
    const settings = { name, help, labelNames: [labelName], buckets: [...buckets] };
    super({ ...settings, registers: [registry] });
    this.#options = options;
    this.#empty = new Histogram({ ...settings, registers: [] });
  }

  add(label: Label, value: number): void {
    const { buckets } = this.#options;
    let cell = this.#cells.get(label);
    if (cell === undefined) {
      cell = { counts: [...buckets.map(() => 0), 0], sum: 0 };
      this.#cells.set(label, cell);
    }
    let at = 0;
    while (at < buckets.length && value > (buckets[at] ?? 0)) at += 1;
    cell.counts[at] = (cell.counts[at] ?? 0) + 1;
    cell.sum += value;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<T>>> {
    const given = await this.#empty.get();
    return { ...given, values: [...this.#cells].flatMap(([label, cell]) => this.#valuesOf(label, cell)) };
  }

  /** What prom-client calls for the text format. */
  getForPromString(): ReturnType<Histogram<T>['get']> {
    return this.get();
  }

  #valuesOf(label: Label, { counts, sum }: Observed): MetricValueWithName<T>[] {
    const { name, labelName, buckets } = this.#options;
    const labels = toLabels([labelName], [label]);
    let total = 0;
    const rows = [...buckets, '+Inf'].map((le, at) => {
      total += counts[at] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: total };
    });
    return [
      ...rows,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: total },
    ];
  }
}

function toLabels<T extends string>(names: readonly T[], values: readonly Label[]): LabelValues<T> {
  const labels: LabelValues<T> = {};
  for (const [at, name] of names.entries()) labels[name] = values[at] ?? '';
  return labels;
}
