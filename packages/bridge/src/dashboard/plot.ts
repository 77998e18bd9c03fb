/** One plot of the dashboard, drawn by uPlot, with its numbers for those who do not see it. */
import uPlot from './uplot.js';
import type { Incident } from '../overview.ts';
import type { Sample } from '../samples.ts';
import { byId, element, setText } from './elements.ts';

/** A line of a plot. */
export interface Series {
  readonly label: string;
  /** Name of the colour, a custom property of the page. */
  readonly colour: string;
  readonly value: (sample: Sample) => number | null;
  /** Dashes tell lines apart where colours do not. */
  readonly dash?: readonly number[];
}

export interface Plan {
  /** Of the figure on the page. */
  readonly id: string;
  readonly format: (value: number | null) => string;
  readonly series: readonly Series[];
}

const HEIGHT = 190;

export class Plot {
  readonly #plan: Plan;
  readonly #place: HTMLElement;
  readonly #summary: HTMLElement;
  readonly #table: HTMLTableSectionElement = element('tbody');
  readonly #plot: uPlot;

  constructor(plan: Plan, incidents: () => readonly Incident[]) {
    this.#plan = plan;
    const figure = byId(plan.id);
    this.#place = element('div', { class: 'canvas', 'aria-hidden': 'true' });
    this.#summary = element('figcaption', { class: 'hidden' });
    figure.replaceChildren(this.#place, this.#summary, this.#makeTable());
    this.#plot = new uPlot(this.#options(incidents), [[0]], this.#place);
  }

  draw(samples: readonly Sample[]): void {
    const { series, format } = this.#plan;
    const now = (samples.at(-1)?.at ?? Date.now()) / 1_000;
    this.#plot.setData(
      [samples.map(({ at }) => at / 1_000), ...series.map(({ value }) => samples.map(value))],
      false,
    );
    const values = series.flatMap(({ value }) => samples.map(value)).filter((value) => value !== null);
    const top = Math.max(...values.filter(Number.isFinite), 0);
    this.#plot.batch(() => {
      this.#plot.setScale('x', { min: now - Math.max(60, this.#spanSeconds(samples)), max: now });
      this.#plot.setScale('y', { min: 0, max: top === 0 ? 1 : top * 1.1 });
    });
    // Without a pointer on it the legend tells what is now.
    if (this.#plot.cursor.idx === null || this.#plot.cursor.idx === undefined)
      this.#plot.setLegend({ idx: samples.length - 1 }, false);
    const last = samples.at(-1);
    const told = series.map(
      ({ label, value }) => `${label} ${format(last === undefined ? null : value(last))}`,
    );
    setText(this.#summary, `Now: ${told.join(', ')}.`);
    this.#fillTable(samples);
  }

  fit(): void {
    this.#plot.setSize({ width: this.#place.clientWidth, height: HEIGHT });
  }

  destroy(): void {
    this.#plot.destroy();
  }

  /** The first minutes fill the plot; then it moves. */
  #spanSeconds(samples: readonly Sample[]): number {
    const [first] = samples;
    const last = samples.at(-1);
    return first === undefined || last === undefined ? 0 : (last.at - first.at) / 1_000;
  }

  #options(incidents: () => readonly Incident[]): uPlot.Options {
    const { series, format } = this.#plan;
    const axis = {
      stroke: colour('--muted'),
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { show: false },
    };
    return {
      width: this.#place.clientWidth,
      height: HEIGHT,
      cursor: { points: { size: 6 }, drag: { x: false, y: false }, sync: { key: 'time' } },
      scales: { x: { time: true }, y: { auto: false } },
      axes: [
        { ...axis, values: '{HH}:{mm}:{ss}', space: 90, size: 30 },
        { ...axis, size: 62, values: (_, splits) => splits.map((split) => format(split)) },
      ],
      series: [
        { value: '{HH}:{mm}:{ss}' },
        ...series.map(({ label, colour: name, dash = [] }) => ({
          label,
          stroke: colour(name),
          width: 1.75,
          dash: [...dash],
          points: { show: false },
          value: (_: uPlot, value: number | null) => format(value),
        })),
      ],
      hooks: { draw: [(plot) => drawIncidents(plot, incidents())] },
    };
  }

  /** The same numbers for those who do not see the plot. */
  #makeTable(): HTMLElement {
    const titles = ['Time', ...this.#plan.series.map(({ label }) => label)];
    const head = element('tr', {}, ...titles.map((title) => element('th', { scope: 'col' }, title)));
    return element(
      'details',
      { class: 'numbers' },
      element('summary', {}, 'As numbers'),
      element('table', {}, element('thead', {}, head), this.#table),
    );
  }

  #fillTable(samples: readonly Sample[]): void {
    if (this.#table.closest('details')?.open !== true) return;
    const { series, format } = this.#plan;
    const rows = samples.slice(-12).toReversed();
    this.#table.replaceChildren(
      ...rows.map((sample) =>
        element(
          'tr',
          {},
          element('td', {}, new Date(sample.at).toLocaleTimeString('en-GB')),
          ...series.map(({ value }) => element('td', {}, format(value(sample)))),
        ),
      ),
    );
  }
}

/** A colour of the page as a canvas understands it: custom properties may depend on the theme. */
function colour(name: string): string {
  const probe = byId('colour-probe');
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** A line for each time a node went down or came back. */
function drawIncidents(plot: uPlot, incidents: readonly Incident[]): void {
  const { ctx, bbox } = plot;
  const { min = 0, max = 0 } = plot.scales['x'] ?? {};
  ctx.save();
  for (const { at, kind, node } of incidents) {
    const seconds = at / 1_000;
    if (node === null || (kind !== 'bad' && kind !== 'good') || seconds < (min ?? 0) || seconds > (max ?? 0))
      continue;
    const x = Math.round(plot.valToPos(seconds, 'x', true));
    ctx.strokeStyle = colour(kind === 'bad' ? '--bad' : '--good');
    ctx.globalAlpha = 0.55;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash(kind === 'bad' ? [] : [4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}
