/** Judges a run by its log alone: the promises, and what its row demands beside them. */
import { checkHistory, CHECKS, type Violation } from '../history/checker.ts';
import type { Operation } from '../history/history.ts';
import { isDisturbed } from './disturbed.ts';
import type { Finding, RunLog } from './run-log.ts';

/** One line of the table. Times in milliseconds. */
export interface Verdict {
  readonly row: string;
  readonly title: string;
  readonly seed: number;
  readonly operations: number;
  readonly perSecond: number;
  /** Saves that nodes acknowledged. */
  readonly acknowledged: number;
  /** Saves that rode in the browser's cookie. */
  readonly carried: number;
  readonly conflicts: number;
  /** Requests that got an outage, or no answer. */
  readonly outages: number;
  readonly longestMs: number;
  /** From the fault to the first bridge that had a node down; null when none had. */
  readonly detectMs: number | null;
  /** From the end of the fault until every node was used again and the last outage was over; null: never. */
  readonly healMs: number | null;
  /** Checks of promises, and demands of the row. */
  readonly checked: number;
  readonly violations: readonly Violation[];
  readonly failed: readonly Finding[];
  readonly isGood: boolean;
}

export function judge(log: RunLog): Verdict {
  const { operations, phases, findings, states } = log;
  const violations = checkHistory(log);
  const failed = findings.filter(({ isHeld }) => !isHeld);
  const disturbed = operations.filter(isDisturbed);
  const down = states.find(({ to, at }) => to === 'down' && at >= phases.fault);
  const lastOutage = Math.max(phases.heal, ...disturbed.map(({ end, start }) => end ?? start));
  return {
    row: log.row,
    title: log.title,
    seed: log.seed,
    operations: operations.length,
    perSecond: Math.round((operations.length * 1_000) / (phases.end - phases.warm)),
    acknowledged: saves(operations).filter(({ after }) => after?.source !== 'cookie').length,
    carried: saves(operations).filter(({ after }) => after?.source === 'cookie').length,
    conflicts: log.events['conflict'] ?? 0,
    outages: disturbed.length,
    longestMs: Math.round(Math.max(0, ...operations.map(({ start, end }) => (end ?? phases.end) - start))),
    detectMs: down === undefined ? null : Math.round(down.at - phases.fault),
    healMs: log.wholeAt === null ? null : Math.round(Math.max(log.wholeAt, lastOutage) - phases.heal),
    checked: Object.keys(CHECKS).length + findings.length,
    violations,
    failed,
    isGood: violations.length === 0 && failed.length === 0,
  };
}

function saves(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ kind, outcome }) => outcome === 'ok' && kind !== 'read' && kind !== 'destroy');
}

export const COLUMNS = [
  'row',
  'fault',
  'operations',
  'per s',
  'acknowledged',
  'carried',
  'conflicts',
  'outages',
  'longest ms',
  'detected ms',
  'healed ms',
  'checks',
  'verdict',
] as const;

/** A verdict as the texts of its columns. */
export function cellsOf(each: Verdict): string[] {
  return [
    each.row,
    each.title,
    String(each.operations),
    String(each.perSecond),
    String(each.acknowledged),
    String(each.carried),
    String(each.conflicts),
    String(each.outages),
    String(each.longestMs),
    each.detectMs === null ? '–' : String(each.detectMs),
    each.healMs === null ? 'never' : String(each.healMs),
    String(each.checked),
    each.isGood ? 'holds' : `${each.violations.length + each.failed.length} broken`,
  ];
}

/** As a table of Markdown, its columns aligned for terminals. */
export function formatTable(verdicts: readonly Verdict[]): string {
  const rows: readonly string[][] = [[...COLUMNS], ...verdicts.map((each) => cellsOf(each))];
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    return `| ${cells.join(' | ')} |`;
  });
  const rule = `| ${widths.map((width, column) => (column < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [lines[0], rule, ...lines.slice(1)].join('\n');
}

/** What is wrong, for people; empty when nothing is. */
export function explain({ row, seed, violations, failed }: Verdict): string[] {
  return [
    ...failed.map(({ what, detail }) => `${row} (seed ${seed}): not true that ${what}: ${detail}`),
    ...violations
      .slice(0, 10)
      .map(({ check, text, at }) => `${row} (seed ${seed}) ${Math.round(at)} ms, ${check}: ${text}`),
    ...(violations.length > 10 ? [`${row}: and ${violations.length - 10} more`] : []),
  ];
}
