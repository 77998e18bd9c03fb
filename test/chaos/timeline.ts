/** One row's run as a picture: requests, their times, and what each bridge thought of each node. */
import type { Operation } from '../history/history.ts';
import { isConfirmed } from '../history/session-log.ts';
import { isDisturbed } from './disturbed.ts';
import type { RunLog } from './run-log.ts';
import type { Verdict } from './verdict.ts';

const WIDTH = 1_000;
const LEFT = 96;
const RIGHT = 10;
const TOP = 16;
const COUNT_HEIGHT = 56;
const TIME_HEIGHT = 56;
const LANE_HEIGHT = 11;
const GAP = 10;
const MOST_BUCKETS = 240;
const LEAST_BUCKET_MS = 50;

interface Bucket {
  readonly at: number;
  good: number;
  /** Served from an instance's memory, or kept in the cookie. */
  held: number;
  bad: number;
  longestMs: number;
  medianMs: number;
}

/** Where a time stands, and how high what is. */
interface Scale {
  readonly x: (at: number) => number;
  readonly bucketMs: number;
}

export function drawTimeline(log: RunLog, verdict: Verdict): string {
  const { phases, states, facts } = log;
  const spanMs = Math.max(1, phases.end - phases.warm);
  const bucketMs = Math.max(LEAST_BUCKET_MS, spanMs / MOST_BUCKETS);
  const x = (at: number): number => LEFT + ((at - phases.warm) / spanMs) * (WIDTH - LEFT - RIGHT);
  const scale: Scale = { x, bucketMs };
  const buckets = fillBuckets(log.operations, { from: phases.warm, spanMs, bucketMs });
  const timesTop = TOP + COUNT_HEIGHT + GAP;
  const lanesTop = timesTop + TIME_HEIGHT + GAP;
  const lanes = drawLanes(log, scale, lanesTop);
  const height = lanesTop + lanes.count * LANE_HEIGHT + 22;
  const body = [
    drawPhases(phases, scale, height - 20),
    drawCounts(buckets, scale),
    drawTimes(buckets, scale, timesTop),
    lanes.svg,
    ...facts
      .filter(({ kind }) => kind === 'fault')
      .map(({ at, text }, i) =>
        mark(x(at), { height, label: String(i + 1), text: `${ms(at - phases.warm)}: ${text}` }),
      ),
    ...verdict.violations.map(({ at, text }) => cross(x(at), text)),
    drawAxis(phases, scale, height),
  ];
  const label = `${log.row}: ${log.title}; ${states.length} changes of node states`;
  return `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(label)}">${body.join('')}</svg>`;
}

function fillBuckets(
  operations: readonly Operation[],
  { from, spanMs, bucketMs }: { from: number; spanMs: number; bucketMs: number },
): Bucket[] {
  const times: number[][] = [];
  const buckets: Bucket[] = Array.from({ length: Math.ceil(spanMs / bucketMs) }, (_, i) => {
    times.push([]);
    return { at: from + i * bucketMs, good: 0, held: 0, bad: 0, longestMs: 0, medianMs: 0 };
  });
  for (const operation of operations) {
    const at = Math.floor((operation.start - from) / bucketMs);
    const bucket = buckets[at];
    if (bucket === undefined) continue;
    const seen = operation.after ?? operation.before;
    if (isDisturbed(operation)) bucket.bad += 1;
    else if (seen !== null && !isConfirmed(seen)) bucket.held += 1;
    else bucket.good += 1;
    times[at]?.push((operation.end ?? operation.start) - operation.start);
  }
  for (const [at, bucket] of buckets.entries()) {
    const sorted = (times[at] ?? []).toSorted((a, b) => a - b);
    bucket.longestMs = sorted.at(-1) ?? 0;
    bucket.medianMs = sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
  return buckets;
}

function drawPhases(phases: RunLog['phases'], { x }: Scale, bottom: number): string {
  const [fault, heal] = [x(phases.fault), x(phases.heal)];
  const text = (at: number, name: string): string =>
    `<text class="phase" x="${round(at + 4)}" y="11">${name}</text>`;
  return (
    `<rect class="fault" x="${round(fault)}" y="0" width="${round(Math.max(1, heal - fault))}" height="${bottom}"/>` +
    text(x(phases.warm), 'warm') +
    text(fault, 'fault') +
    text(heal, 'heal')
  );
}

function drawCounts(buckets: readonly Bucket[], { x, bucketMs }: Scale): string {
  const most = Math.max(1, ...buckets.map(({ good, held, bad }) => good + held + bad));
  const bottom = TOP + COUNT_HEIGHT;
  const bars = buckets.map((bucket) => {
    const left = x(bucket.at);
    const width = Math.max(0.6, x(bucket.at + bucketMs) - left - 0.4);
    let y = bottom;
    return (['good', 'held', 'bad'] as const)
      .map((kind) => {
        const height = (bucket[kind] / most) * COUNT_HEIGHT;
        y -= height;
        if (height === 0) return '';
        return `<rect class="${kind}" x="${round(left)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"/>`;
      })
      .join('');
  });
  const perSecond = Math.round((most * 1_000) / bucketMs);
  return `${caption(TOP + 10, 'requests')}${caption(TOP + 22, `to ${perSecond}/s`)}${bars.join('')}`;
}

function drawTimes(buckets: readonly Bucket[], { x, bucketMs }: Scale, top: number): string {
  const most = Math.max(1, ...buckets.map(({ longestMs }) => longestMs));
  const used = buckets.filter(({ longestMs }) => longestMs > 0);
  const line = (pick: (bucket: Bucket) => number): string =>
    used
      .map((bucket) => {
        const y = top + TIME_HEIGHT - (pick(bucket) / most) * TIME_HEIGHT;
        return `${round(x(bucket.at + bucketMs / 2))},${round(y)}`;
      })
      .join(' ');
  return (
    `${caption(top + 10, 'longest, median')}${caption(top + 22, `to ${Math.round(most)} ms`)}` +
    `<polyline class="longest" points="${line(({ longestMs }) => longestMs)}"/>` +
    `<polyline class="median" points="${line(({ medianMs }) => medianMs)}"/>`
  );
}

function drawLanes(log: RunLog, { x }: Scale, top: number): { svg: string; count: number } {
  const { phases, states, nodes } = log;
  const bridges = 1 + Math.max(1, ...states.map(({ bridge }) => bridge));
  const lanes: string[] = [];
  for (let bridge = 0; bridge < bridges; bridge += 1) {
    for (let node = 0; node < nodes; node += 1) {
      const y = top + lanes.length * LANE_HEIGHT;
      let since = phases.warm;
      let state = 'up';
      let bars = '';
      for (const change of [...states, null]) {
        if (change !== null && (change.bridge !== bridge || change.node !== node)) continue;
        const until = Math.min(change?.at ?? phases.end, phases.end);
        const width = Math.max(0.8, x(until) - x(since));
        bars += `<rect class="${state}" x="${round(x(since))}" y="${y}" width="${round(width)}" height="${LANE_HEIGHT - 2}"><title>bridge ${bridge}: node ${node} ${state}</title></rect>`;
        since = until;
        state = change?.to ?? state;
      }
      lanes.push(caption(y + 8, `bridge ${bridge} node ${node}`) + bars);
    }
  }
  return { svg: lanes.join(''), count: lanes.length };
}

function drawAxis({ warm, end }: RunLog['phases'], { x }: Scale, height: number): string {
  const stepMs =
    [500, 1_000, 2_000, 5_000, 10_000, 30_000].find((step) => (end - warm) / step <= 14) ?? 60_000;
  let labels = '';
  for (let at = warm; at <= end; at += stepMs)
    labels += `<text class="axis" x="${round(x(at))}" y="${height - 4}">${(at - warm) / 1_000} s</text>`;
  return labels;
}

function mark(x: number, { height, label, text }: { height: number; label: string; text: string }): string {
  return (
    `<g><title>${escape(text)}</title><line class="mark" x1="${round(x)}" x2="${round(x)}" y1="14" y2="${height - 18}"/>` +
    `<text class="number" x="${round(x + 2)}" y="24">${label}</text></g>`
  );
}

function cross(x: number, text: string): string {
  return `<text class="broken" x="${round(x)}" y="40">✗<title>${escape(text)}</title></text>`;
}

function caption(y: number, text: string): string {
  return `<text class="caption" x="${LEFT - 6}" y="${y}">${escape(text)}</text>`;
}

function ms(at: number): string {
  return `${Math.round(at)} ms`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
