/** Two small items on each node that outlive a bridge: the node's fence, and notes about nodes that are out. */
import { LIMITS } from '@memsession/client/protocol';
import { type Item, type MemcachedNode, NodeError } from './node.ts';

/** App keys have a colon, so they never collide with these. */
const FENCE_KEY = '_fence';
const NOTES_KEY = '_out';
const ATTEMPTS = 5;
/** Those that were left or renewed last stand first, and the others are dropped. */
const MOST_NOTES = 500;

/** A fence on a node. Items whose CAS number is not higher are from before it was set. */
export interface Fence {
  readonly cas: bigint;
  /** Tells one fence from another; empty where there is none. */
  readonly name: string;
}

/** A node without a fence was never out while a bridge watched, or has restarted empty. */
export const NO_FENCE: Fence = { cas: 0n, name: '' };

/** Left on the other nodes by a bridge for which a node is out of rotation, renewed meanwhile, and taken away afterwards. */
export interface Note {
  readonly nodeIndex: number;
  /** Which bridge says so. */
  readonly bridge: string;
  /** The node's fence as that bridge last knew it. */
  readonly fenceName: string;
  /** Epoch milliseconds by that bridge's clock: changes with every renewal. */
  readonly beat: number;
}

/** The fence that a node carries. Reading renews its lifetime: it lives as long as a bridge looks. */
export async function readFence(node: MemcachedNode): Promise<Fence> {
  const item = await node.gat(FENCE_KEY, LIMITS.ttlSeconds);
  return item === null ? NO_FENCE : { cas: item.cas, name: item.value.toString('latin1') };
}

/** Sets a new fence: all that the node holds now must be confirmed by others. */
export async function setFence(node: MemcachedNode, name: string): Promise<Fence> {
  return { cas: await update(node, FENCE_KEY, () => name), name };
}

/** All notes on this node about others. */
export async function readNotes(node: MemcachedNode): Promise<Note[]> {
  return parseNotes(await node.gat(NOTES_KEY, LIMITS.ttlSeconds));
}

/** Puts other notes in the place of those on this node. */
export async function rewriteNotes(
  node: MemcachedNode,
  rewrite: (notes: readonly Note[]) => readonly Note[],
): Promise<void> {
  await update(node, NOTES_KEY, (item) => {
    const text = rewrite(parseNotes(item)).slice(0, MOST_NOTES).map(formatNote).join('\n');
    return text === (item?.value.toString('latin1') ?? '') ? null : text;
  });
}

function formatNote({ nodeIndex, bridge, fenceName, beat }: Note): string {
  return `${nodeIndex} ${bridge} ${fenceName === '' ? '-' : fenceName} ${beat}`;
}

function parseNotes(item: Item | null): Note[] {
  if (item === null) return [];
  const matches = item.value
    .toString('latin1')
    .matchAll(/^([0-9]{1,4}) ([\w-]{1,40}) ([\w-]{1,40}) ([0-9]{1,15})$/gm);
  return [...matches].map(([, index, bridge = '', fence = '', beat]) => ({
    nodeIndex: Number(index),
    bridge,
    fenceName: fence === '-' ? '' : fence,
    beat: Number(beat),
  }));
}

/** Stores a text made from the item that is there, and returns the CAS number; with null, leaves it as it is. */
async function update(
  node: MemcachedNode,
  key: string,
  make: (item: Item | null) => string | null,
): Promise<bigint> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const current = await node.gets(key);
    const text = make(current);
    if (text === null) return current?.cas ?? 0n;
    const item = { version: 1, value: Buffer.from(text, 'latin1'), ttlSeconds: LIMITS.ttlSeconds };
    const outcome = current === null ? await node.add(key, item) : await node.cas(key, item, current.cas);
    if (outcome.stored) return outcome.cas;
  }
  throw new NodeError(node.index, `store ${key}`, 'server');
}
