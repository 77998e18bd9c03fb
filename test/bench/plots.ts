/** What grows with what, as a drawing: one curve for each series of the row `scaling`. */
import type { Line } from './line.ts';

/** One curve. */
interface Curve {
  readonly title: string;
  readonly unit: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const SERIES: readonly (readonly [title: string, of: RegExp])[] = [
  ['cached getSession by sessions in the cache', /^cached getSession among ([\d,]+) cached/],
  ['bridge GET by nodes in the list', /^bridge GET of 1 KiB with ([\d,]+) nodes/],
  ['bridge GET by bytes of the record', /^bridge GET of ([\d,]+) bytes/],
];

const WIDTH = 330;
const HEIGHT = 230;
const EDGE = { left: 56, right: 14, top: 34, bottom: 34 } as const;

/** An SVG with logarithmic axes, on which what is linear rises by one step for each step to the right. */
export function drawScaling(lines: readonly Line[]): string {
  const curves = SERIES.map(([title, of]) => readCurve(title, of, lines)).filter(
    ({ points }) => points.length > 1,
  );
  const panels = curves.map((curve, at) => `<g transform="translate(${at * WIDTH},0)">${panel(curve)}</g>`);
  const width = Math.max(1, curves.length) * WIDTH;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${HEIGHT}" font-family="sans-serif" font-size="10">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...panels,
    '</svg>\n',
  ].join('\n');
}

function readCurve(title: string, of: RegExp, lines: readonly Line[]): Curve {
  const points: [number, number][] = [];
  let unit = '';
  for (const { what, ours } of lines) {
    const x = of.exec(what)?.[1];
    if (x === undefined || ours === null) continue;
    points.push([Number(x.replaceAll(',', '')), ours.value]);
    unit = ours.unit;
  }
  return { title, unit, points };
}

function panel({ title, unit, points }: Curve): string {
  const xs = decades(points.map(([x]) => x));
  const ys = decades(points.map(([, y]) => y));
  const across = (x: number): number => EDGE.left + (WIDTH - EDGE.left - EDGE.right) * share(x, xs);
  const down = (y: number): number => HEIGHT - EDGE.bottom - (HEIGHT - EDGE.top - EDGE.bottom) * share(y, ys);
  const place = ([x, y]: readonly [number, number]): string =>
    `${across(x).toFixed(1)},${down(y).toFixed(1)}`;
  const lines = ys.map(
    (y) =>
      `<line x1="${EDGE.left}" x2="${WIDTH - EDGE.right}" y1="${down(y)}" y2="${down(y)}" stroke="#ddd"/>` +
      `<text x="${EDGE.left - 6}" y="${down(y) + 3}" text-anchor="end">${y.toLocaleString('en')}</text>`,
  );
  const ticks = points.map(
    ([x]) =>
      `<text x="${across(x)}" y="${HEIGHT - EDGE.bottom + 16}" text-anchor="middle">${short(x)}</text>`,
  );
  const dots = points.map((point) => {
    const [x = '', y = ''] = place(point).split(',');
    return `<circle cx="${x}" cy="${y}" r="3" fill="#b4540a"/>`;
  });
  return [
    `<text x="${EDGE.left}" y="14" font-size="11" font-weight="bold">${title}</text>`,
    `<text x="${EDGE.left}" y="27" fill="#666">${unit}</text>`,
    ...lines,
    ...ticks,
    `<polyline points="${points.map(place).join(' ')}" fill="none" stroke="#e8a33d" stroke-width="2"/>`,
    ...dots,
  ].join('\n');
}

/** The powers of ten around some numbers. */
function decades(numbers: readonly number[]): number[] {
  const low = Math.floor(Math.log10(Math.min(...numbers)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...numbers))));
  return Array.from({ length: high - low + 1 }, (_, at) => 10 ** (low + at));
}

function share(value: number, of: readonly number[]): number {
  const low = Math.log10(of[0] ?? 1);
  const high = Math.log10(of.at(-1) ?? 10);
  return (Math.log10(value) - low) / (high - low);
}

function short(x: number): string {
  if (x >= 1_000_000) return `${x / 1_000_000} M`;
  return x >= 1_000 ? `${Math.round(x / 1_000)} k` : String(x);
}
