/** Tells a failing run: what happened to the session that a promise was broken to, and nothing else. */
import { CHECKS, type Violation } from '../history/checker.ts';
import { describeFault } from './faults.ts';
import type { Plan } from './plan.ts';
import type { Verdict } from './run.ts';

const MOST_LINES = 200;

/** Lines to print. The verdict must be of a run that was traced. */
export function tellStory(plan: Plan, { violations, trace }: Verdict): string[] {
  const [first] = violations;
  if (first === undefined) return [`Seed ${plan.seed} breaks nothing.`];
  const visits = plan.steps.filter(({ kind }) => kind === 'visit').length;
  return [
    `Seed ${plan.seed}: ${plan.nodes} nodes, ${plan.bridges} bridges, ${plan.instances} instances, ${visits} visits, maxStale ${plan.maxStaleMs} ms`,
    ...plan.steps.flatMap((step) =>
      step.kind === 'fault'
        ? [`  ${step.at.toFixed(0)} ms: ${describeFault(step.fault)}, for ${step.forMs.toFixed(0)} ms`]
        : [],
    ),
    `Broken: ${first.check}. ${CHECKS[first.check]}`,
    `  ${first.text}`,
    '',
    ...selectLines(trace, first),
  ].map(shorten);
}

/** What concerns the session, the bridges' view of the nodes, and the faults; up to the violation. */
function selectLines(trace: readonly string[], { session, at }: Violation): string[] {
  const told = trace.filter((line) => {
    if (Number.parseFloat(line) > at) return false;
    if (/_fence|_out|noop/.test(line)) return false;
    if (line.includes('***') || / (up|down|probing|suspected) → /.test(line)) return true;
    return session === null || line.includes(session);
  });
  const skipped = told.length - MOST_LINES;
  return skipped > 0 ? [`(${skipped} earlier lines)`, ...told.slice(skipped)] : told;
}

/** Ids by their first six digits. */
function shorten(line: string): string {
  return line.replace(/(?:shop:)?\b([0-9A-F]{6})[0-9A-F]{26}\b/g, '$1');
}
