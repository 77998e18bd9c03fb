/** Ways to break the system on purpose, so that the checks can be checked. The shipped code knows nothing of them. */
import type { MemcachedNode } from '../../packages/bridge/src/node.ts';
import type { RecordCodec } from '../../packages/client/src/ports.ts';

export interface Mutation {
  /** Puts something between a bridge and a node. */
  readonly wrapNode?: (node: MemcachedNode) => MemcachedNode;
  /** Changes how records are verified. */
  readonly wrapRecords?: (records: RecordCodec) => RecordCodec;
}
