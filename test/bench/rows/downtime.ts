/** What visitors notice when a node is killed or stops answering. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HEADERS, PATHS } from '../../../packages/client/src/protocol.ts';
import { rank } from '../../../packages/bridge/src/placement.ts';
import { type Line, state } from '../line.ts';
import { atMost, quantile, type Sample } from '../measure.ts';
import type { MeasureOptions, Row } from '../row.ts';
import { Stack, type Stored } from '../stack.ts';
import { callAtRate } from '../steady.ts';

const SESSIONS = 300;
const BYTES = 1_024;
const NODES = 4;
const COPIES = 2;
const PER_SECOND = 300;
const BEFORE_MS = 1_500;
const AFTER_MS = 2_500;
const DEADLINE_MS = 250;
const RETRY_PAUSE_MS = 5;
const GIVE_UP_MS = 10_000;
/** Each round starts everything anew. */
const MOST_ROUNDS = 3;

type Fault = 'kill -9' | 'SIGSTOP';

interface Request {
  readonly startedAt: number;
  /** Until it was answered with the record, all attempts together. */
  readonly tookMs: number;
  /** Whether the faulty node holds a copy of its session. */
  readonly isAffected: boolean;
}

async function measure({ rounds }: MeasureOptions): Promise<Line[]> {
  const lines: Line[] = [];
  for (const fault of ['kill -9', 'SIGSTOP'] as const) {
    const worst: Sample[] = [];
    const others: Sample[] = [];
    for (let round = 0; round < Math.min(rounds, MOST_ROUNDS); round += 1) {
      const { requests, faultAt } = await play(fault);
      const after = requests.filter(({ startedAt }) => startedAt >= faultAt - DEADLINE_MS);
      const affected = after.filter(({ isAffected }) => isAffected).map(({ tookMs }) => tookMs);
      worst.push({ value: Math.max(...affected), cpuMicros: null });
      const p99 = (isAfter: boolean): number =>
        quantile(
          requests
            .filter(({ isAffected, startedAt }) => !isAffected && startedAt >= faultAt === isAfter)
            .map(({ tookMs }) => tookMs)
            .toSorted((a, b) => a - b),
          0.99,
        );
      others.push({ value: p99(true) / p99(false), cpuMicros: null });
    }
    const deadlines = fault === 'kill -9' ? 1 : 3;
    lines.push(
      state({
        what: `${fault} of one of ${NODES} nodes: longest time until a session with a copy there was answered`,
        unit: 'ms',
        samples: worst,
        goal: atMost(deadlines * DEADLINE_MS, ' ms'),
        note: `${PER_SECOND} reads a second at a steady rate, each repeated until it is answered; a node's deadline is ${DEADLINE_MS} ms.`,
      }),
      state({
        what: `${fault} of one of ${NODES} nodes: p99 of all other sessions, after against before`,
        unit: '×',
        samples: others,
        goal: atMost(2, ' ×'),
      }),
    );
  }
  return lines;
}

async function play(fault: Fault): Promise<{ requests: readonly Request[]; faultAt: number }> {
  await using stack = await Stack.start({ nodes: NODES, env: { NODE_TIMEOUT_MS: `${DEADLINE_MS}` } });
  const sessions = await stack.seed(SESSIONS, BYTES);
  const authorization = `Bearer ${await stack.token()}`;
  const [victim] = stack.nodes;
  if (victim === undefined) throw new Error('There is no node.');
  const requests: Request[] = [];
  let faultAt = Number.POSITIVE_INFINITY;
  const attack = async (): Promise<void> => {
    await sleep(BEFORE_MS);
    faultAt = performance.now();
    if (fault === 'kill -9') await victim.kill();
    else victim.freeze();
  };
  let next = 0;
  const call = async (): Promise<void> => {
    next = (next + 1) % sessions.length;
    const session = sessions[next];
    if (session === undefined) return;
    const startedAt = performance.now();
    await readUntilAnswered(`${stack.url}${PATHS.sessions}/${session.ref}`, authorization);
    requests.push({ startedAt, tookMs: performance.now() - startedAt, isAffected: isOn(session, 0) });
  };
  // Connections and compiled code are there before it counts.
  await callAtRate({ perSecond: PER_SECOND, forMs: BEFORE_MS }, call);
  requests.length = 0;
  const forMs = BEFORE_MS + AFTER_MS;
  await Promise.all([attack(), callAtRate({ perSecond: PER_SECOND, forMs }, call)]);
  return { requests, faultAt };
}

/** As a client does: what failed is asked for again. */
async function readUntilAnswered(url: string, authorization: string): Promise<void> {
  const giveUpAt = performance.now() + GIVE_UP_MS;
  for (;;) {
    const response = await fetch(url, { headers: { authorization, [HEADERS.minVersion]: '1' } });
    await response.arrayBuffer();
    if (response.status === 200) return;
    if (response.status < 500 || performance.now() > giveUpAt)
      throw new Error(`A session that is there was answered with ${response.status}.`);
    await sleep(RETRY_PAUSE_MS);
  }
}

function isOn({ ref }: Stored, index: number): boolean {
  const indexes = Array.from({ length: NODES }, (_, at) => at);
  return rank(ref, indexes).slice(0, COPIES).includes(index);
}

export const downtime: Row = { name: 'downtime', title: 'a node dies or hangs', measure };
