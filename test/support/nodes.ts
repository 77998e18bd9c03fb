/** Nodes under test that close themselves, and items for them. */
import { startEmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import type { EmbeddedNode, EmbeddedNodeOptions } from '../../packages/bridge/src/embedded-node.ts';
import { createMemjsNode } from '../../packages/bridge/src/memjs-node.ts';
import type { MemjsNodeOptions } from '../../packages/bridge/src/memjs-node.ts';
import type { MemcachedNode, NewItem } from '../../packages/bridge/src/node.ts';

/** Deadline of the nodes that {@link openNode} makes. */
export const TIMEOUT_MS = 250;
/** What a busy machine may add to a deadline. */
export const SLACK_MS = 400;

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** `it`, for `await using`. */
export interface Using<T> extends AsyncDisposable {
  readonly it: T;
}

/** A driver's node for a server, closed at the end of the block. */
export function openNode(target: Target, options: Partial<MemjsNodeOptions> = {}): Using<MemcachedNode> {
  const { host, port } = target;
  const it = createMemjsNode({ index: 0, host, port, timeoutMs: TIMEOUT_MS, ...options });
  return { it, [Symbol.asyncDispose]: () => it.close() };
}

/** An embedded node, closed at the end of the block. */
export async function startEmbedded(options: EmbeddedNodeOptions = {}): Promise<Using<EmbeddedNode>> {
  const it = await startEmbeddedNode(options);
  return { it, [Symbol.asyncDispose]: () => it.close() };
}

/** An item of so many bytes that lives for a minute. */
export function newItem(version: number, size = 6): NewItem {
  return { version, value: Buffer.alloc(size, 0x72), ttlSeconds: 60 };
}

/** Adds an item that is not there yet, and returns its CAS number. */
export async function addItem(node: MemcachedNode, key: string, size = 6): Promise<bigint> {
  const outcome = await node.add(key, newItem(1, size));
  if (!outcome.stored) throw new Error(`${key} is there already`);
  return outcome.cas;
}
