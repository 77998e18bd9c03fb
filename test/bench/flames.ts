/** Reads V8's CPU profiles: the functions that take the most time, and flame graphs. */

/** A function as it was called from another one, with the time under it. */
export interface Frame {
  /** Function and file. */
  readonly name: string;
  /** Microseconds by itself, and with all that it called. */
  selfMicros: number;
  totalMicros: number;
  readonly children: Map<string, Frame>;
}

/** What is used of V8's format: Chrome DevTools Protocol, Profiler.Profile. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

type Node = CpuProfile['nodes'][number];

const IDLE = /^\((idle|program|root)\)/;
/** Starting up is not what is loaded. */
const START =
  /^(\(anonymous\) node:internal\/main\/|run node:internal\/modules\/|link node:internal\/modules\/)/;

/** The tree of calls, without the time in which nothing was to do. */
export function readProfile(json: string): Frame {
  // Written by V8.
  const profile = JSON.parse(json) as CpuProfile;
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const selfMicros = new Map<number, number>();
  for (const [at, id] of profile.samples.entries()) {
    selfMicros.set(id, (selfMicros.get(id) ?? 0) + (profile.timeDeltas[at] ?? 0));
  }
  const [first] = profile.nodes;
  if (first === undefined) throw new Error('The profile is empty.');
  const root: Frame = { name: 'all', selfMicros: 0, totalMicros: 0, children: new Map() };
  const walk = (node: Node, parent: Frame): void => {
    const name = nameOf(node);
    if (node !== first && (IDLE.test(name) || START.test(name))) return;
    const frame = node === first ? parent : childOf(parent, name);
    frame.selfMicros += node === first ? 0 : (selfMicros.get(node.id) ?? 0);
    for (const id of node.children ?? []) {
      const child = nodes.get(id);
      if (child !== undefined) walk(child, frame);
    }
  };
  walk(first, root);
  sum(root);
  return root;
}

/** The functions with the most time of their own, as text. */
export function topOf(root: Frame, shown: number): string {
  return listShares(root, (name) => name, shown);
}

/** The shares of the groups with the most time, largest first. */
function listShares(root: Frame, groupOf: (name: string) => string, shown: number = 25): string {
  const byGroup = new Map<string, number>();
  const add = (frame: Frame): void => {
    const group = groupOf(frame.name);
    byGroup.set(group, (byGroup.get(group) ?? 0) + frame.selfMicros);
    for (const child of frame.children.values()) add(child);
  };
  add(root);
  const sorted = [...byGroup].toSorted(([, a], [, b]) => b - a).slice(0, shown);
  return sorted
    .map(([name, micros]) => `${((micros * 100) / root.totalMicros).toFixed(1).padStart(5)} %  ${name}`)
    .join('\n');
}

/** The time by where the code comes from, as text: packages by name, Node.js by module, V8 and the system by function. */
export function partsOf(root: Frame): string {
  return listShares(root, partOf);
}

function partOf(name: string): string {
  if (name.includes('bridge/dist')) return 'the bridge';
  const [, own] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name) ?? [];
  const [, module] = / (node:[a-z_]+(?:\/[a-z_]+)?)/.exec(name) ?? [];
  return own ?? module ?? name;
}

const WIDTH = 1_200;
const LINE = 17;
/** Narrower ones are left out. */
const LEAST_WIDTH = 0.6;
const LETTER = 6.2;
const MOST_DEPTH = 60;

/** An SVG in which a function is as wide as its share of the time, and stands on the one that called it. */
export function drawFlames(root: Frame, title: string): string {
  const boxes: string[] = [];
  let depthUsed = 0;
  const draw = (frame: Frame, x: number, depth: number): void => {
    const width = (frame.totalMicros / root.totalMicros) * WIDTH;
    if (width < LEAST_WIDTH || depth > MOST_DEPTH) return;
    depthUsed = Math.max(depthUsed, depth);
    boxes.push(box(frame, { x, depth, width, share: frame.totalMicros / root.totalMicros }));
    let next = x;
    for (const child of frame.children.values()) {
      draw(child, next, depth + 1);
      next += (child.totalMicros / root.totalMicros) * WIDTH;
    }
  };
  draw(root, 0, 0);
  const height = (depthUsed + 3) * LINE;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="4" y="14" font-size="13">${escape(title)}</text>`,
    `<g transform="translate(0,${2 * LINE})">`,
    ...boxes,
    '</g></svg>\n',
  ].join('\n');
}

interface Place {
  readonly x: number;
  readonly depth: number;
  readonly width: number;
  readonly share: number;
}

function box({ name }: Frame, { x, depth, width, share }: Place): string {
  const letters = Math.floor((width - 4) / LETTER);
  const label = letters < 4 ? '' : name.slice(0, letters);
  const y = depth * LINE;
  const text = label === '' ? '' : `<text x="${(x + 2).toFixed(1)}" y="${y + 12}">${escape(label)}</text>`;
  return (
    `<g><title>${escape(name)}: ${(share * 100).toFixed(1)} %</title>` +
    `<rect x="${x.toFixed(1)}" y="${y}" width="${Math.max(0.3, width - 0.4).toFixed(1)}" height="${LINE - 1}" ` +
    `fill="${colourOf(name)}"/>${text}</g>`
  );
}

/** By where the code comes from. */
function colourOf(name: string): string {
  if (name.includes('bridge/dist')) return '#e8a33d';
  if (name.includes('node_modules')) return '#9ec1e0';
  if (name.includes('node:')) return '#c9dfb5';
  return '#d9d4cc';
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: Node): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const file = url.replace(/^.*\/node_modules\//, 'node_modules/').replace(/^.*\/packages\//, '');
  return `${name} ${file}:${lineNumber + 1}`;
}

function childOf(parent: Frame, name: string): Frame {
  const known = parent.children.get(name);
  if (known !== undefined) return known;
  const child: Frame = { name, selfMicros: 0, totalMicros: 0, children: new Map() };
  parent.children.set(name, child);
  return child;
}

function sum(frame: Frame): number {
  frame.totalMicros = frame.selfMicros;
  for (const child of frame.children.values()) frame.totalMicros += sum(child);
  return frame.totalMicros;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
