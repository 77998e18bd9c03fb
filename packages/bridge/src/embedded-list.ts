/** Nodes inside this process, as a node list. */
import type { Logger } from 'pino';
import { type EmbeddedNode, startEmbeddedNode } from './embedded-node.ts';
import type { NodeEntry } from './node-list.ts';

export interface EmbeddedList {
  readonly entries: readonly NodeEntry[];
  close(): Promise<void>;
}

/** Starts so many; none for 0. */
export async function startEmbeddedList(count: number, log: Logger): Promise<EmbeddedList> {
  const nodes = await Promise.all(Array.from({ length: count }, () => startEmbeddedNode()));
  if (count > 0) log.warn('embedded nodes: sessions die with this process; never do this in production');
  return {
    entries: nodes.map(describe),
    close: async () => {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}

function describe({ host, port }: EmbeddedNode, index: number): NodeEntry {
  return { index, host, port, state: 'active' };
}
