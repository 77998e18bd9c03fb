/** The list of nodes: parsing it and checking that a new one renumbers nothing. Pure. */
import { isIPv6, SocketAddress } from 'node:net';

/** One line of the list. Its position is the node index, for ever. */
export interface NodeEntry {
  readonly index: number;
  readonly host: string;
  readonly port: number;
  /** `removed` keeps the index taken; a removed node never comes back, its replacement is appended. */
  readonly state: 'active' | 'draining' | 'removed';
}

export type NodeList = readonly NodeEntry[];

/** A list with where each of its nodes stands, or every problem found, each naming its line or position. */
export type ParsedNodeList =
  | { readonly ok: true; readonly nodes: NodeList; readonly places: readonly string[] }
  | { readonly ok: false; readonly problems: string[] };

/** An index has at most four digits in a ref. */
const MOST_NODES = 10_000;
const DEFAULT_PORT = 11211;
/** Nobody means a host by these, and a node must not move to one for a slip of the pen. */
const STATE_WORDS = /^(?:active|drain(?:ed|ing)?|removed?)$/i;

/** Parses `host:port,[v6]:port,…` (MEMCACHED_NODES). The port may be left out. */
export function parseNodeAddresses(text: string): ParsedNodeList {
  const parts = text.split(',').map((part) => part.trim());
  return parseEntries(parts.map((part, position) => ({ text: part, where: `node ${position}` })));
}

/** Parses entries as lines of a NODES_FILE that stand for themselves: each is a node, and none a comment. */
export function parseNodeLines(lines: readonly string[]): ParsedNodeList {
  return parseEntries(lines.map((line, position) => ({ text: line.trim(), where: `node ${position}` })));
}

/**
 * Parses a NODES_FILE: a node a line, `host:port`, `host:port drain`, or `removed` to keep the place of
 * one that is gone. Empty lines and what follows a `#` are ignored and do not count as a place.
 */
export function parseNodesFile(text: string): ParsedNodeList {
  const lines = text
    .split(/\r?\n/)
    .map((line, position) => ({ text: line.replace(/#.*$/, '').trim(), where: `line ${position + 1}` }))
    .filter((line) => line.text !== '');
  return parseEntries(lines);
}

function parseEntries(parts: readonly { text: string; where: string }[]): ParsedNodeList {
  const problems: string[] = [];
  const nodes: NodeEntry[] = [];
  const seen = new Map<string, string>();
  for (const [index, { text, where }] of parts.entries()) {
    const entry = parseEntry(text, index);
    if (typeof entry === 'string') {
      problems.push(`${where}: ${entry}`);
      continue;
    }
    nodes.push(entry);
    if (entry.state === 'removed') continue;
    const address = formatAddress(entry);
    const earlier = seen.get(address);
    if (earlier !== undefined) problems.push(`${where}: ${address} is already ${earlier}`);
    seen.set(address, where);
  }
  if (parts.length > MOST_NODES) problems.push(`${parts.length} nodes are more than ${MOST_NODES}`);
  if (problems.length === 0 && !nodes.some(({ state }) => state !== 'removed'))
    problems.push('no node is left');
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, nodes, places: parts.map(({ where }) => where) };
}

function parseEntry(text: string, index: number): NodeEntry | string {
  if (text === 'removed') return { index, host: '', port: 0, state: 'removed' };
  const [address = '', word, ...rest] = text.split(/\s+/);
  if (rest.length > 0 || (word !== undefined && word !== 'drain')) {
    return `"${text}" is not "host:port", "host:port drain" or "removed"`;
  }
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([A-Za-z0-9._-]+))(?::([0-9]{1,6}))?$/.exec(address);
  const host = match?.[1] === undefined ? match?.[2]?.toLowerCase() : normalizeIPv6(match[1]);
  if (host === undefined) return `"${address}" is not host:port or [IPv6]:port`;
  if (match?.[3] === undefined && STATE_WORDS.test(host))
    return `"${address}" alone is no address: write "host:port drain", or "removed" in the place of a node`;
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (port < 1 || port > 65_535) return `port ${port} is not from 1 to 65535`;
  return { index, host, port, state: word === 'drain' ? 'draining' : 'active' };
}

/** The one spelling of an address, so that the same node is not taken for two. */
function normalizeIPv6(text: string): string | undefined {
  const [address = '', ...zone] = text.split('%');
  if (!isIPv6(address)) return undefined;
  return [new SocketAddress({ address, family: 'ipv6' }).address, ...zone].join('%');
}

/** `host:port`, an IPv6 host in brackets. */
export function formatAddress({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Why a list may not replace the one in force; empty when it may. Nodes may be appended, drained, removed and
 * get another address. What would make refs point to other nodes is refused. `places`: where each node of the next list
 * stands, for the messages.
 */
export function findRenumbering(current: NodeList, next: NodeList, places: readonly string[] = []): string[] {
  const problems: string[] = [];
  const placeOf = (index: number): string => places[index] ?? `node ${index}`;
  if (next.length < current.length) {
    problems.push(
      `${next.length} nodes are fewer than the ${current.length} in force: write "removed" in the place of one that is gone`,
    );
  }
  const before = new Map(current.filter(isPresent).map((entry) => [formatAddress(entry), entry.index]));
  for (const entry of next.filter(isPresent)) {
    const index = before.get(formatAddress(entry));
    if (index !== undefined && index !== entry.index) {
      problems.push(
        `${placeOf(entry.index)}: ${formatAddress(entry)} is node ${index} in the list in force, nodes keep their place`,
      );
    }
    if (current[entry.index]?.state === 'removed') {
      const fix = 'an index is never used again, append the node instead';
      problems.push(`${placeOf(entry.index)}: node ${entry.index} was removed, ${fix}`);
    }
  }
  return problems;
}

function isPresent(entry: NodeEntry): boolean {
  return entry.state !== 'removed';
}
