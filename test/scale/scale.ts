/**
 * Measures the real placement code at scale and writes docs/scale/*.svg; `npm run scale`.
 *
 * Sessions are drawn at random from a seed, so that two runs give the same numbers.
 */
import { writeFileSync } from 'node:fs';
import { rank } from '../../packages/bridge/src/placement.ts';
import { Random } from '../simulation/random.ts';

const COPIES = 2;
const NODE_COUNTS = [10, 30, 100, 300, 1_000] as const;
const SESSIONS = 100_000;
/** What the numbers are told for. */
const ALL_SESSIONS = 10_000_000;
const OUT = new URL('../../docs/scale/', import.meta.url);

interface Measured {
  readonly nodes: number;
  /** Copies on the fullest node, in relation to the mean. */
  readonly fullest: number;
  /** The same after the death of one node; what a node must have room for. */
  readonly afterDeath: number;
  /** Share of all copies that one death, and that the death of 10 % of the nodes, makes anew. */
  readonly movedByOne: number;
  readonly movedByTenth: number;
  /** Share of sessions of which both copies were on that tenth. */
  readonly lostByTenth: number;
}

function measure(nodes: number): Measured {
  const random = new Random(nodes);
  const indexes = Array.from({ length: nodes }, (_, index) => index);
  const tenth = nodes / 10;
  const load = indexes.map(() => 0);
  const loadAfter = indexes.map(() => 0);
  let [movedByOne, movedByTenth, lostByTenth] = [0, 0, 0];
  for (let count = 0; count < SESSIONS; count += 1) {
    const id = Array.from(random.bytes(8), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const order = rank(id, indexes, COPIES + 1);
    const copies = order.slice(0, COPIES);
    for (const index of copies) load[index] = (load[index] ?? 0) + 1;
    for (const index of order.filter((each) => each !== 0).slice(0, COPIES))
      loadAfter[index] = (loadAfter[index] ?? 0) + 1;
    const dead = copies.filter((index) => index < tenth).length;
    if (copies.includes(0)) movedByOne += 1;
    movedByTenth += dead;
    if (dead === COPIES) lostByTenth += 1;
  }
  const mean = (SESSIONS * COPIES) / nodes;
  return {
    nodes,
    fullest: Math.max(...load) / mean,
    afterDeath: Math.max(...loadAfter) / mean,
    movedByOne: movedByOne / (SESSIONS * COPIES),
    movedByTenth: movedByTenth / (SESSIONS * COPIES),
    lostByTenth: lostByTenth / SESSIONS,
  };
}

/** What chance alone does to the fullest of n nodes: one part in the root of the mean, times sqrt(2 ln n). */
function expectedFullest(nodes: number, sessions: number): number {
  const mean = (sessions * COPIES) / nodes;
  return 1 + Math.sqrt((2 * Math.log(nodes)) / mean);
}

interface Line {
  readonly label: string;
  readonly colour: string;
  readonly values: readonly number[];
}

/** A plot over the numbers of nodes, both axes logarithmic or the second one linear. */
function plot(title: string, lines: readonly Line[]): string {
  const all = lines.flatMap(({ values }) => values);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const x = (at: number): number => 70 + (at * 480) / (NODE_COUNTS.length - 1);
  const y = (value: number): number => 250 - ((value - low) / (high - low || 1)) * 190;
  const parts = lines.map(({ label, colour, values }, row) => {
    const points = values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const name = `<text x="80" y="${44 + row * 16}" fill="${colour}">${label}</text>`;
    return `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="2"/>${name}`;
  });
  const ticks = NODE_COUNTS.map(
    (nodes, at) => `<text x="${x(at)}" y="272" text-anchor="middle">${nodes}</text>`,
  );
  const scale = [low, high].map(
    (value) => `<text x="62" y="${y(value) + 4}" text-anchor="end">${value.toPrecision(3)}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 580 300" font-family="sans-serif" font-size="12">
<rect width="580" height="300" fill="white"/>
<text x="290" y="20" text-anchor="middle" font-size="14">${title}</text>
<path d="M70 50V250H550" fill="none" stroke="black"/>
${[...parts, ...ticks, ...scale].join('\n')}
<text x="310" y="292" text-anchor="middle">nodes</text>
</svg>
`;
}

const measured = NODE_COUNTS.map((nodes) => measure(nodes));
console.table(measured);
console.table(
  NODE_COUNTS.map((nodes) => ({ nodes, fullestOfTenMillion: expectedFullest(nodes, ALL_SESSIONS) })),
);
const column = (name: keyof Measured): number[] => measured.map((each) => each[name]);
writeFileSync(
  new URL('balance.svg', OUT),
  plot(`The fullest node, in means, of ${SESSIONS} sessions`, [
    { label: 'measured', colour: '#06c', values: column('fullest') },
    { label: 'measured, after the death of a node', colour: '#c60', values: column('afterDeath') },
    {
      label: '1 + sqrt(2 ln n / mean)',
      colour: '#888',
      values: NODE_COUNTS.map((nodes) => expectedFullest(nodes, SESSIONS)),
    },
  ]),
);
writeFileSync(
  new URL('death.svg', OUT),
  plot('Share of all copies that is made anew', [
    { label: 'after the death of one node', colour: '#06c', values: column('movedByOne') },
    { label: 'after the death of 10 % of the nodes', colour: '#c60', values: column('movedByTenth') },
  ]),
);
