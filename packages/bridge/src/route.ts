/** Explains where a session is looked for and why, by asking the nodes and changing nothing. */
import { parseRef, type SessionRef } from '@memsession/client/protocol';
import type { Cluster } from './cluster.ts';
import { isTombstone } from './evidence.ts';
import type { Route, RouteQuestion, RouteStep } from './member.ts';
import { NodeError } from './node.ts';
import { type Candidate, chooseHome, place, type Placement } from './placement.ts';

export interface RouteContext {
  readonly cluster: Cluster;
  readonly copies: number;
}

/** The route of a session. Throws a TypeError when the ref is none. */
export async function explainRoute(
  { cluster, copies }: RouteContext,
  question: RouteQuestion,
): Promise<Route> {
  const ref = parseRef(question.ref);
  if (ref === null) throw new TypeError('not a session ref');
  const placement = place(cluster.window(ref.id, copies), copies, cluster.candidate(ref.index));
  const key = `${question.app}:${ref.id}`;
  const steps = await Promise.all(
    placement.window.map((candidate) => explainStep(cluster, { candidate, placement, key })),
  );
  const home = chooseHome(placement.copies, ref.index);
  return { steps, home, because: tell(ref, steps, home) };
}

async function explainStep(
  cluster: Cluster,
  { candidate, placement, key }: { candidate: Candidate; placement: Placement; key: string },
): Promise<RouteStep> {
  const status = cluster.status()[candidate.index];
  return {
    index: candidate.index,
    address: status?.address ?? '',
    state: status === undefined || status.state === 'removed' ? 'down' : status.state,
    role: roleOf(candidate, placement),
    answer: await ask(cluster, candidate, key),
  };
}

function roleOf({ index, isAvailable, isDraining }: Candidate, placement: Placement): RouteStep['role'] {
  if (placement.copies[0] === index) return 'anchor';
  if (placement.copies.includes(index)) return 'copy';
  if (!isAvailable) return 'unavailable';
  if (placement.spares.includes(index)) return 'spare';
  return isDraining ? 'draining' : 'named by the ref only';
}

async function ask(
  cluster: Cluster,
  { index, isAvailable }: Candidate,
  key: string,
): Promise<RouteStep['answer']> {
  if (!isAvailable) return { kind: 'not asked' };
  try {
    const item = await cluster.run(index, (node) => node.gets(key));
    if (item === null) return { kind: 'nothing' };
    const kind = isTombstone(item) ? 'tombstone' : 'record';
    return { kind, version: item.version, isTrusted: cluster.isTrusted(index, item.cas) };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return { kind: 'no answer' };
  }
}

function tell(ref: SessionRef, steps: readonly RouteStep[], home: number | null): string[] {
  const anchor = steps.find(({ role }) => role === 'anchor');
  const copies = steps.filter(({ role }) => role === 'copy').map(({ index }) => `node ${index}`);
  const passed = steps.filter(({ role }) => role === 'unavailable' || role === 'draining');
  const before = passed.filter((step) => anchor === undefined || steps.indexOf(step) < steps.indexOf(anchor));
  return [
    ...before.map(({ index, role, state }) =>
      role === 'draining'
        ? `Node ${index} comes first for this id, but is drained.`
        : `Node ${index} comes first for this id, but is ${state}.`,
    ),
    anchor === undefined
      ? 'No node can be used: every request for it is answered with 503.'
      : `Its writes meet at node ${anchor.index}${copies.length > 0 ? `, then go to ${copies.join(' and ')}` : ''}.`,
    ...tellHome(ref, home),
    tellState(steps),
  ];
}

function tellHome(ref: SessionRef, home: number | null): string[] {
  if (home === null || ref.index === null) return [];
  if (home === ref.index)
    return [`The ref names node ${home}, which is one of its copies: it stays its home.`];
  return [
    `The ref names node ${ref.index}, which is none of its copies now: its next ref will name node ${home}.`,
  ];
}

function tellState(steps: readonly RouteStep[]): string {
  const found = steps.flatMap(({ index, answer }) => ('version' in answer ? [{ index, ...answer }] : []));
  const tombstone = found.find(({ kind }) => kind === 'tombstone');
  if (tombstone !== undefined) return `It was destroyed: node ${tombstone.index} has its tombstone.`;
  const versions = found.map(({ version }) => version);
  const newest = Math.max(...versions);
  if (found.length > 0) {
    const holders = found.filter(({ version }) => version === newest).map(({ index }) => index);
    const stale = found.filter(({ version }) => version < newest).map(({ index }) => index);
    const isUnsure = found.some(({ isTrusted }) => !isTrusted);
    return [
      `Version ${newest} is on node ${holders.join(' and ')}`,
      stale.length > 0 ? `, something older on node ${stale.join(' and ')}` : '',
      isUnsure ? '; part of it is from before its node was out, and must be confirmed' : '',
      '.',
    ].join('');
  }
  const isCertain = steps.every(({ answer }) => answer.kind === 'nothing');
  return isCertain
    ? 'No node has it: it never existed, has expired or was lost.'
    : 'No node that answers has it, but not all can be asked.';
}
