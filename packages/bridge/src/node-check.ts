/** Asks every configured node how it is and how it was started, before a bridge is built on it. */
import type { Config } from './config.ts';
import { createMemjsNode } from './memjs-node.ts';
import { type NodeFacts, readFacts } from './node-facts.ts';
import { formatAddress, type NodeEntry } from './node-list.ts';
import { NodeError } from './node.ts';
import { formatTable } from './remote.ts';

/** What came of asking one node. */
export interface NodeCheck {
  readonly index: number;
  readonly address: string;
  /** Null when it did not answer. */
  readonly facts: NodeFacts | null;
  /** Why it did not answer; null when it did. */
  readonly failure: string | null;
}

/** More than a bridge waits: this is about whether a node is there at all, milliseconds. */
const TIMEOUT_MS = 2_000;

/** Asks all nodes at the same time. */
export async function checkNodes(config: Config): Promise<NodeCheck[]> {
  const present = config.nodes.filter(({ state }) => state !== 'removed');
  return Promise.all(present.map((entry) => checkNode(entry, config)));
}

/** The checks as a table with what should be changed below it. */
export function tellChecks(checks: readonly NodeCheck[]): string {
  const rows = checks.map(({ index, address, facts, failure }) => [
    String(index),
    address,
    failure ?? 'answers',
    facts?.version ?? '–',
    facts === null ? '–' : `${Math.round(facts.limitBytes / 1_048_576)} MiB`,
  ]);
  const warnings = checks.flatMap(({ index, facts }) =>
    (facts?.warnings ?? []).map(({ text }) => `Node ${index}: ${text}`),
  );
  const table = formatTable([['NODE', 'ADDRESS', 'STATE', 'VERSION', 'MEMORY'], ...rows]);
  return [table, ...(warnings.length > 0 ? ['', ...warnings] : [])].join('\n');
}

async function checkNode(entry: NodeEntry, { memcached, maxRecordBytes }: Config): Promise<NodeCheck> {
  const { index, host, port } = entry;
  const node = createMemjsNode({ index, host, port, timeoutMs: TIMEOUT_MS, ...memcached });
  const address = formatAddress(entry);
  try {
    const stats = Object.fromEntries(await node.stats());
    const settings = await node.stats(undefined, 'settings').then(Object.fromEntries, () => null);
    const facts = readFacts({ index, stats, settings }, maxRecordBytes);
    return { index, address, facts, failure: null };
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return { index, address, facts: null, failure: error.kind };
  } finally {
    await node.close();
  }
}
