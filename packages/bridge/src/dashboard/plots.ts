/** Plots of the last quarter of an hour, with a line where a node went down or came back. */
import type { Incident } from '../overview.ts';
import type { Sample } from '../samples.ts';
import { byId } from './elements.ts';
import { formatMs, formatNumber } from './format.ts';
import { type Plan, Plot } from './plot.ts';

/** Seconds that a plot shows. */
const SPAN_SECONDS = 900;

const perSecond = (value: number | null): string => (value === null ? '–' : `${formatNumber(value)}/s`);
const event =
  (name: string) =>
  ({ events }: Sample): number =>
    events[name] ?? 0;

const PLANS: readonly Plan[] = [
  {
    id: 'plot-operations',
    format: perSecond,
    series: [
      { label: 'done', colour: '--good', value: ({ operations }) => operations.done },
      { label: 'absent', colour: '--quiet', value: ({ operations }) => operations.absent, dash: [2, 3] },
      { label: 'refused', colour: '--warning', value: ({ operations }) => operations.refused, dash: [6, 3] },
      { label: 'failed', colour: '--bad', value: ({ operations }) => operations.failed },
    ],
  },
  {
    id: 'plot-latency',
    format: formatMs,
    series: [
      { label: 'half', colour: '--line-1', value: ({ p50 }) => p50 },
      { label: '95 %', colour: '--line-2', value: ({ p95 }) => p95, dash: [6, 3] },
      { label: '99 %', colour: '--line-3', value: ({ p99 }) => p99, dash: [2, 3] },
    ],
  },
  {
    id: 'plot-failover',
    format: perSecond,
    series: [
      { label: 'relocations', colour: '--line-1', value: event('relocation') },
      { label: 'wider reads', colour: '--quiet', value: event('widened'), dash: [2, 3] },
      { label: 'repairs', colour: '--good', value: event('repair'), dash: [6, 3] },
      { label: 'passed over', colour: '--bad', value: event('passed_over') },
    ],
  },
  {
    id: 'plot-conflicts',
    format: perSecond,
    series: [
      { label: 'conflicts', colour: '--line-2', value: event('conflict') },
      { label: 'forks', colour: '--bad', value: event('fork') },
      { label: 'fewer copies', colour: '--warning', value: event('degraded'), dash: [6, 3] },
      { label: 'unknown', colour: '--line-3', value: event('unknown'), dash: [2, 3] },
    ],
  },
];

const NODE_COLOURS = ['--line-1', '--line-2', '--line-3', '--good', '--warning', '--quiet'];
const NODE_DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3]];

/** All plots of the page. */
export class Plots {
  readonly #samples: Sample[] = [];
  readonly #incidents: Incident[] = [];
  #plots: Plot[] = [];
  #nodeCount = 0;

  constructor() {
    const redraw = (): void => this.#build();
    globalThis.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
    new ResizeObserver(() => {
      for (const plot of this.#plots) plot.fit();
    }).observe(byId('plots'));
  }

  /** Begins anew. */
  start(samples: readonly Sample[], incidents: readonly Incident[]): void {
    this.#samples.splice(0, this.#samples.length, ...samples);
    this.#incidents.splice(0, this.#incidents.length, ...incidents);
    this.#build();
  }

  add(sample: Sample, incidents: readonly Incident[]): void {
    this.#samples.push(sample);
    if (this.#samples.length > SPAN_SECONDS) this.#samples.shift();
    this.#incidents.push(...incidents);
    if (sample.nodes.length !== this.#nodeCount) this.#build();
    else this.#draw();
  }

  /** Draws anew, with the colours of now. */
  recolour(): void {
    this.#build();
  }

  #build(): void {
    for (const plot of this.#plots) plot.destroy();
    const nodes = this.#samples.at(-1)?.nodes ?? [];
    this.#nodeCount = nodes.length;
    const series = nodes.map(({ index }, position) => ({
      label: `node ${index}`,
      colour: NODE_COLOURS[position % NODE_COLOURS.length] ?? '--quiet',
      dash: NODE_DASHES[Math.floor(position / NODE_COLOURS.length) % NODE_DASHES.length] ?? [],
      value: (sample: Sample) => sample.nodes.find((node) => node.index === index)?.p99 ?? null,
    }));
    const served = series.map((line, position) => ({
      ...line,
      value: (sample: Sample) => sample.nodes[position]?.served ?? null,
    }));
    const plans = [
      ...PLANS,
      { id: 'plot-nodes', format: formatMs, series },
      { id: 'plot-served', format: perSecond, series: served },
    ];
    this.#plots = plans.map((plan) => new Plot(plan, () => this.#incidents));
    this.#draw();
  }

  #draw(): void {
    for (const plot of this.#plots) plot.draw(this.#samples);
  }
}
