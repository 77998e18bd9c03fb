/** A page that shows a whole campaign: the table, and a timeline of each row. It needs nothing from elsewhere. */
import type { RunLog } from './run-log.ts';
import { drawTimeline, escape } from './timeline.ts';
import { cellsOf, COLUMNS, explain, type Verdict } from './verdict.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2430; --dim: #667; --ground: #fff; --line: #e3e5ea; --tint: #f3e3d8;
  --good: #6f9bd1; --held: #e0a526; --bad: #c8322b; --up: #b9d8bd; --suspected: #e8c864; --down: #c8322b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6eb; --dim: #9aa; --ground: #16181d; --line: #30343c;
  --tint: #3a2a20; --good: #5b8bc6; --up: #3d6b45; --suspected: #a98a2b; } }
body { margin: 0 auto; max-width: 1240px; padding: 24px 20px 80px; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 44px 0 6px; }
p { color: var(--dim); margin: 0 0 14px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 13px; white-space: nowrap; }
th, td { padding: 3px 7px; border-bottom: 1px solid var(--line); text-align: right; font-variant-numeric: tabular-nums; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; } th { color: var(--dim); font-weight: 500; }
a { color: inherit; } .ok { color: #2c8a3f; font-weight: 600; } .no { color: var(--bad); font-weight: 600; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--dim); font: 10px system-ui, sans-serif; }
.caption { text-anchor: end; } .axis { text-anchor: middle; } .phase { font-weight: 600; } .fault { fill: var(--tint); }
.good { fill: var(--good); } .held { fill: var(--held); } .bad { fill: var(--bad); }
.up { fill: var(--up); } .suspected, .probing { fill: var(--suspected); } .down { fill: var(--down); }
.removed { fill: var(--line); } .longest, .median { fill: none; stroke: var(--bad); stroke-width: 1; opacity: .75; }
.median { stroke: var(--good); } .mark { stroke: var(--ink); stroke-dasharray: 2 3; opacity: .5; }
svg .number { fill: var(--ink); font-weight: 600; } svg .broken { fill: var(--bad); font-size: 14px; text-anchor: middle; }
ol { columns: 2; font-size: 13px; color: var(--dim); margin: 6px 0 0; padding-left: 22px; }
pre { white-space: pre-wrap; font-size: 12px; color: var(--bad); }
.key span { display: inline-block; margin-right: 16px; } .key i { display: inline-block; width: 11px; height: 11px;
  border-radius: 2px; margin-right: 5px; vertical-align: -1px; }`;

const KEY = [
  ['good', 'answered'],
  ['held', "from an instance's memory or kept in the cookie"],
  ['bad', 'outage told, or no answer'],
  ['up', 'node up'],
  ['suspected', 'suspected or probing'],
  ['down', 'down'],
] as const;

/** What the page shows of one row: drawn when the row is over, so that its history need not be kept. */
export interface PageRow {
  readonly verdict: Verdict;
  readonly html: string;
}

export function drawRow(log: RunLog, verdict: Verdict): PageRow {
  const faults = log.facts.filter(({ kind }) => kind === 'fault');
  const steps = faults.map(
    ({ at, text }) => `<li>${Math.round(at - log.phases.warm)} ms: ${escape(text)}</li>`,
  );
  const broken = explain(verdict);
  const html =
    `<section id="${verdict.row}"><h2>${verdict.row} · ${escape(verdict.title)}</h2>${drawTimeline(log, verdict)}` +
    `<ol>${steps.join('')}</ol>${broken.length === 0 ? '' : `<pre>${escape(broken.join('\n'))}</pre>`}</section>`;
  return { verdict, html };
}

export function formatPage(rows: readonly PageRow[], seed: number): string {
  const good = rows.filter(({ verdict }) => verdict.isGood).length;
  const key = KEY.map(
    ([name, text]) => `<span><i style="background: var(--${name})"></i>${text}</span>`,
  ).join('');
  const head = COLUMNS.map((name) => `<th>${name}</th>`).join('');
  const lines = rows.map(({ verdict }) => {
    const cells = cellsOf(verdict).map((cell, at) => {
      if (at === 0) return `<td><a href="#${verdict.row}">${cell}</a></td>`;
      if (at === COLUMNS.length - 1) return `<td class="${verdict.isGood ? 'ok' : 'no'}">${cell}</td>`;
      return `<td>${escape(cell)}</td>`;
    });
    return `<tr>${cells.join('')}</tr>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Chaos, seed ${seed}</title><style>${STYLE}</style></head><body>
<h1>Chaos</h1><p>Seed ${seed}: ${good} of ${rows.length} rows hold. Times in milliseconds.</p>
<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>
<h2>Timelines</h2><p class="key">${key}</p>
${rows.map(({ html }) => html).join('\n')}
</body></html>
`;
}
