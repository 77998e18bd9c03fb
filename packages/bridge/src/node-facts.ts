/** What memcached's own statistics mean for sessions: numbers for the operator, and warnings. Pure. */
import type { RawFacts } from './member.ts';

/** A node by its own account. */
export interface NodeFacts {
  readonly index: number;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly items: number;
  readonly usedBytes: number;
  readonly limitBytes: number;
  /** Items forgotten for want of memory since it started. Each is a lost back-up. */
  readonly evictions: number;
  readonly hits: number;
  readonly misses: number;
  readonly connections: number;
  /** What should be changed about it. */
  readonly warnings: readonly NodeWarning[];
}

/** `code` is for machines, `text` for people. */
export interface NodeWarning {
  readonly code:
    'old_version' | 'evicts' | 'evicted' | 'udp' | 'small_items' | 'text_protocol' | 'nearly_full';
  readonly text: string;
}

/** Below it a client can make memcached write beyond its memory (CVE list of docs/security.md). */
const OLDEST_SAFE = [1, 6, 44] as const;
/**
 * memcached refuses the first items at 85 to 93 % of its limit, depending on how much their sizes differ, since each
 * page of memory serves one class of sizes.
 */
const NEARLY_FULL = 0.75;
/** What memcached needs beside the value of an item. */
const ITEM_OVERHEAD_BYTES = 512;

/** The facts in a node's statistics. `maxRecordBytes`: what it must be able to store. */
export function readFacts({ index, stats, settings }: RawFacts, maxRecordBytes: number): NodeFacts {
  const number = (name: string): number => Number(stats[name] ?? 0) || 0;
  const facts = {
    index,
    version: stats['version'] ?? '',
    uptimeSeconds: number('uptime'),
    items: number('curr_items'),
    usedBytes: number('bytes'),
    limitBytes: number('limit_maxbytes'),
    evictions: number('evictions'),
    hits: number('get_hits') + number('touch_hits'),
    misses: number('get_misses') + number('touch_misses'),
    connections: number('curr_connections'),
  };
  return { ...facts, warnings: findWarnings(facts, settings ?? {}, maxRecordBytes) };
}

function findWarnings(
  facts: Omit<NodeFacts, 'warnings'>,
  settings: Readonly<Record<string, string>>,
  maxRecordBytes: number,
): NodeWarning[] {
  // An embedded node is for a first look; the log says so.
  if (facts.version.endsWith('-embedded')) return [];
  const rows = [...judgeStart(facts, settings), ...judgeMemory(facts, settings, maxRecordBytes)];
  return rows.flatMap(([applies, code, text]) => (applies ? [{ code, text }] : []));
}

type Judgement = readonly [applies: boolean, code: NodeWarning['code'], text: string];

function judgeStart(
  { version }: Pick<NodeFacts, 'version'>,
  settings: Readonly<Record<string, string>>,
): Judgement[] {
  return [
    [
      isOld(version),
      'old_version',
      `memcached ${version} has known holes: use ${OLDEST_SAFE.join('.')} or later.`,
    ],
    [
      Number(settings['udpport'] ?? 0) > 0,
      'udp',
      'It listens on UDP, which can be used to attack others: start it with -U 0.',
    ],
    [
      settings['binding_protocol'] === 'auto-negotiate',
      'text_protocol',
      'It also understands the text protocol, which HTTP requests can be made to speak: start it with -B binary.',
    ],
  ];
}

function judgeMemory(
  { evictions, usedBytes, limitBytes }: Omit<NodeFacts, 'warnings'>,
  settings: Readonly<Record<string, string>>,
  maxRecordBytes: number,
): Judgement[] {
  const itemBytes = Number(settings['item_size_max'] ?? Number.POSITIVE_INFINITY);
  const share = Math.floor((usedBytes / Math.max(1, limitBytes)) * 100);
  return [
    [
      settings['evictions'] === 'on',
      'evicts',
      'When it is full it forgets sessions without a word: start it with -M.',
    ],
    [
      evictions > 0,
      'evicted',
      `It has forgotten ${evictions} items for want of memory: give it more with -m.`,
    ],
    [
      itemBytes < maxRecordBytes + ITEM_OVERHEAD_BYTES,
      'small_items',
      `It takes items up to ${itemBytes} bytes, records may have ${maxRecordBytes}: raise -I or lower MAX_RECORD_BYTES.`,
    ],
    [
      limitBytes > 0 && usedBytes > limitBytes * NEARLY_FULL,
      'nearly_full',
      `It is ${share} % full: give it more memory or add a node.`,
    ],
  ];
}

function isOld(version: string): boolean {
  const match = /^(\d+)\.(\d+)\.(\d+)$/.exec(version);
  if (match === null) return false;
  const parts = match.slice(1).map(Number);
  for (const [position, least] of OLDEST_SAFE.entries()) {
    const part = parts[position] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
