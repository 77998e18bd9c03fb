/** The table of nodes. Rows are kept and changed, so that focus and reading position stay. */
import type { NodeOverview } from '../overview.ts';
import type { NodeSample } from '../samples.ts';
import { byId, element, setText } from './elements.ts';
import { formatBytes, formatDuration, formatMs, formatNumber, formatShare } from './format.ts';

export type NodeAction = 'drain' | 'activate' | 'remove';

export interface NodeTableOptions {
  readonly isChangeable: boolean;
  readonly onAction: (action: NodeAction, index: number) => void;
}

/** Title of each column; on a narrow screen it stands before each value. */
const COLUMNS = [
  ['node', 'Node'],
  ['state', 'State'],
  ['memory', 'Memory'],
  ['evictions', 'Evictions'],
  ['hits', 'Hit rate'],
  ['roundTrip', 'Round trip'],
  ['rate', 'Operations'],
  ['served', 'Answers given'],
  ['actions', 'Change'],
] as const;

type Column = (typeof COLUMNS)[number][0];
type Cells = Readonly<Record<Column, HTMLTableCellElement>>;

interface Row {
  readonly element: HTMLTableRowElement;
  readonly cells: Cells;
  readonly bar: HTMLElement;
}

const SYMBOLS: Readonly<Record<NodeOverview['state'], string>> = {
  up: '●',
  suspected: '◐',
  probing: '◌',
  down: '✕',
  removed: '–',
};

export class NodeTable {
  readonly #options: NodeTableOptions;
  readonly #body: HTMLTableSectionElement = element('tbody');
  readonly #rows: Map<number, Row> = new Map();

  constructor(options: NodeTableOptions) {
    this.#options = options;
    const titles = COLUMNS.filter(([column]) => column !== 'actions' || options.isChangeable);
    const head = element('tr', {}, ...titles.map(([, title]) => element('th', { scope: 'col' }, title)));
    byId('nodes').replaceChildren(
      element(
        'table',
        {},
        element('caption', { class: 'hidden' }, 'Nodes with their state'),
        element('thead', {}, head),
        this.#body,
      ),
    );
  }

  update(nodes: readonly NodeOverview[], samples: readonly NodeSample[], now: number): void {
    const present = nodes.filter(({ state }) => state !== 'removed');
    for (const [index, row] of this.#rows) {
      if (present.some((node) => node.index === index)) continue;
      row.element.remove();
      this.#rows.delete(index);
    }
    for (const node of present) {
      const row = this.#rows.get(node.index) ?? this.#addRow(node.index);
      this.#fill(row, { node, sample: samples.find(({ index }) => index === node.index), now });
    }
  }

  #addRow(index: number): Row {
    // Every column of the list gets its cell.
    const cells = Object.fromEntries(COLUMNS.map(([column, title]) => makeCell(column, title))) as Cells;
    const bar = element('span', { class: 'bar', 'aria-hidden': 'true' }, element('span'));
    cells.memory.append(element('span', { class: 'value' }), bar);
    const { actions, ...others } = cells;
    const shown = this.#options.isChangeable ? [...Object.values(others), actions] : Object.values(others);
    const row = { element: element('tr', { 'data-index': String(index) }, ...shown), cells, bar };
    this.#rows.set(index, row);
    this.#body.append(row.element);
    return row;
  }

  #fill(
    { element: line, cells, bar }: Row,
    { node, sample, now }: { node: NodeOverview; sample: NodeSample | undefined; now: number },
  ): void {
    const { facts, index } = node;
    line.dataset['state'] = node.state;
    fillPair(cells.node, String(index), node.address);
    fillState(cells.state, node, now);
    const used = facts === null ? 0 : facts.usedBytes / Math.max(1, facts.limitBytes);
    const memory = cells.memory.querySelector('.value');
    if (memory !== null) setText(memory, facts === null ? '–' : describeMemory(facts));
    bar.hidden = facts === null;
    const fill = bar.firstElementChild;
    if (fill instanceof HTMLElement) fill.style.inlineSize = `${Math.min(100, used * 100)}%`;
    bar.dataset['level'] = used > 0.85 ? 'bad' : used > 0.75 ? 'warning' : 'good';
    const evictions = facts?.evictions ?? null;
    fillPair(
      cells.evictions,
      evictions === null ? '–' : formatNumber(evictions),
      evictions === null || evictions === 0 ? '' : 'lost back-ups',
    );
    cells.evictions.dataset['level'] = evictions !== null && evictions > 0 ? 'bad' : 'none';
    setText(cells.hits, facts === null ? '–' : formatShare(facts.hits, facts.hits + facts.misses));
    fillTraffic(cells, node.state === 'down' ? undefined : sample);
    fillPair(cells.served, formatNumber(node.servedLastMinute), describeServed(node));
    this.#fillActions(cells.actions, node);
    // Where each value takes a line, those without one are left out.
    for (const cell of Object.values(cells)) cell.dataset['empty'] = String(cell.textContent === '–');
  }

  #fillActions(cell: HTMLTableCellElement, { index, isDraining }: NodeOverview): void {
    const wanted: readonly (readonly [NodeAction, string])[] = isDraining
      ? [
          ['activate', 'Use again'],
          ['remove', 'Remove'],
        ]
      : [['drain', 'Drain']];
    if (cell.dataset['wanted'] === wanted.join()) return;
    cell.dataset['wanted'] = wanted.join();
    cell.replaceChildren(
      ...wanted.map(([action, text]) => {
        const button = element('button', { type: 'button', 'aria-label': `${text}: node ${index}` }, text);
        button.addEventListener('click', () => this.#options.onAction(action, index));
        return button;
      }),
    );
  }
}

function makeCell(column: Column, title: string): [Column, HTMLTableCellElement] {
  return [column, element('td', { 'data-title': title, class: column })];
}

function fillPair(cell: HTMLElement, first: string, second: string): void {
  if (cell.childElementCount !== 2) cell.replaceChildren(element('span'), element('small'));
  const [strong, small] = cell.children;
  if (strong !== undefined) setText(strong, first);
  if (small !== undefined) setText(small, second);
}

function fillTraffic({ roundTrip, rate }: Cells, sample: NodeSample | undefined): void {
  fillPair(
    roundTrip,
    formatMs(sample?.p50 ?? null),
    sample === undefined ? '' : `99 % in ${formatMs(sample.p99)}`,
  );
  const failed = sample === undefined || sample.errors === 0 ? '' : `${formatNumber(sample.errors)}/s failed`;
  fillPair(rate, sample === undefined ? '–' : `${formatNumber(sample.operations)}/s`, failed);
}

function fillState(cell: HTMLElement, node: NodeOverview, now: number): void {
  if (cell.childElementCount !== 2)
    cell.replaceChildren(element('span', { class: 'badge' }), element('small'));
  const [badge, small] = cell.children;
  const word = node.isDraining && node.state === 'up' ? 'draining' : node.state;
  if (badge instanceof HTMLElement) {
    badge.dataset['state'] = word;
    setText(badge, `${word === 'draining' ? '◒' : SYMBOLS[node.state]} ${word}`);
  }
  const others = node.dissenters > 0 ? `, not so for ${node.dissenters} other processes` : '';
  if (small !== undefined) setText(small, `for ${formatDuration(now - node.since)}: ${node.reason}${others}`);
}

function describeMemory({ usedBytes, limitBytes, items }: NonNullable<NodeOverview['facts']>): string {
  return `${formatBytes(usedBytes)} of ${formatBytes(limitBytes)}, ${formatNumber(items)} items`;
}

function describeServed({ isDraining, servedLastMinute }: NodeOverview): string {
  if (!isDraining) return 'in the last minute';
  return servedLastMinute === 0 ? 'nobody needs it now' : 'sessions still land here';
}
