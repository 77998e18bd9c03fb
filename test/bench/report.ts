/** The table: printed, put into the documentation, and as JSON. */
import type { Line, Quantity } from './line.ts';
import type { Spread } from './measure.ts';
import { formatSetting, type Setting } from './setting.ts';

/** Lines by the name of their row. */
export interface Measured {
  readonly row: string;
  readonly lines: readonly Line[];
  /** When it was measured, as ISO 8601. */
  readonly at: string;
}

export interface Report {
  readonly setting: Setting;
  readonly rounds: number;
  readonly measured: readonly Measured[];
}

const HEADS = [
  'row',
  'what',
  'against',
  'ours',
  'theirs',
  'result',
  'lowest – highest',
  'processor time',
  'goal',
  'verdict',
];

/** As text and as Markdown alike. */
export function formatReport({ setting, rounds, measured }: Report): string {
  const notes: string[] = [];
  const rows = measured.flatMap(({ row, lines }) => lines.map((line) => formatLine(row, line, notes)));
  const rules = `Medians of ${rounds} rounds in turn; the result compares contestants round by round. "Processor time" is ours over theirs for one request, of the measured process alone.`;
  const times = measured.map(({ at }) => at.slice(0, 16).replace('T', ' ')).toSorted();
  const when = `Measured from ${times[0] ?? ''} to ${times.at(-1) ?? ''} UTC.`;
  const parts = [formatSetting(setting), `${rules} ${when}`, formatTable([HEADS, ...rows])];
  if (notes.length > 0) parts.push(notes.map((note, at) => `${at + 1}. ${note}`).join('\n'));
  return parts.join('\n\n');
}

function formatLine(row: string, line: Line, notes: string[]): string[] {
  let mark = '';
  if (line.note !== '') {
    const known = notes.indexOf(line.note);
    const at = known === -1 ? notes.push(line.note) : known + 1;
    mark = ` (${at})`;
  }
  return [
    row,
    line.what,
    line.against,
    formatQuantity(line.ours),
    formatQuantity(line.theirs),
    line.result === null ? '–' : `${formatNumber(line.result.median)} ${line.resultUnit}`,
    formatSpread(line.result),
    line.cpuRatio === null ? '–' : `${formatNumber(line.cpuRatio)} ×`,
    line.goal,
    line.verdict + mark,
  ];
}

function formatQuantity(quantity: Quantity | null): string {
  return quantity === null ? '–' : `${formatNumber(quantity.value)} ${quantity.unit}`;
}

function formatSpread(spread: Spread | null): string {
  return spread === null ? '–' : `${formatNumber(spread.lowest)} – ${formatNumber(spread.highest)}`;
}

/** Three digits that count. */
function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** A Markdown table whose columns are aligned. */
function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = HEADS.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const print = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [head, ...body] = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)));
  const rule = widths.map((width) => '-'.repeat(width));
  return [print(head ?? []), print(rule), ...body.map((row) => print(row))].join('\n');
}
