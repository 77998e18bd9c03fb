/** The node list of the whole bridge: where it came from, who may change it, and how. */
import type { Networks } from './networks.ts';
import {
  findRenumbering,
  formatAddress,
  type NodeEntry,
  type NodeList,
  parseNodeLines,
  parseNodesFile,
} from './node-list.ts';

/** Where the list came from. A file stays the only source; the others can be changed until the bridge stops. */
export type ListSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'environment' }
  | { readonly kind: 'embedded' };

export interface RosterOptions {
  readonly source: ListSource;
  readonly list: NodeList;
  /** Where addresses that come from outside must be. */
  readonly networks: Networks;
  /** Puts a list in force that was checked. */
  readonly onChange: (list: NodeList, told: readonly string[]) => void;
}

/** One change of the list. */
export type NodeChange =
  | { readonly kind: 'append'; readonly address: string }
  | { readonly kind: 'drain' | 'activate'; readonly index: number }
  /** `isForced`: although sessions may still live there. */
  | { readonly kind: 'remove'; readonly index: number; readonly isForced: boolean }
  | { readonly kind: 'replace'; readonly lines: readonly string[] };

export type ChangeCode =
  'source_is_file' | 'no_such_node' | 'not_drained' | 'address_not_allowed' | 'refused';

export type Changed =
  | {
      readonly ok: true;
      readonly lines: readonly string[];
      /** What has to be written where, so that it holds after a restart. */
      readonly toKeep: string;
    }
  | Refused;

/** Why a change was not made. */
export interface Refused {
  readonly ok: false;
  readonly code: ChangeCode;
  readonly problems: readonly string[];
  /** What the file should read instead, when the list comes from one. */
  readonly lines?: readonly string[];
}

type Planned = { readonly ok: true; readonly list: NodeList } | Refused;

/** Holds the list in force. */
export class Roster {
  readonly #options: RosterOptions;
  #list: NodeList;

  constructor(options: RosterOptions) {
    this.#options = options;
    this.#list = options.list;
  }

  get list(): NodeList {
    return this.#list;
  }

  get source(): ListSource {
    return this.#options.source;
  }

  /** The list as its file would have it, a node a line. */
  get lines(): string[] {
    return this.#list.map(formatEntry);
  }

  /** Takes the text of the file; returns why not, each problem with its line. */
  take(text: string): string[] {
    const parsed = parseNodesFile(text);
    return parsed.ok ? this.#put(parsed.nodes, parsed.places) : parsed.problems;
  }

  /** Takes a change that an operator asked for. */
  async change(change: NodeChange): Promise<Changed> {
    for (;;) {
      const before = this.#list;
      const wanted = await this.#plan(change);
      if (!wanted.ok) return wanted;
      // Another change was made while names were resolved: this one is made on top of it.
      if (this.#list !== before) continue;
      const problems = this.#put(wanted.list);
      if (problems.length > 0) return { ok: false, code: 'refused', problems };
      return { ok: true, lines: this.lines, toKeep: this.#tellHowToKeep() };
    }
  }

  /** The list as it is to be after the change, or why it may not be. */
  async #plan(change: NodeChange): Promise<Planned> {
    const obstacle = this.#findObstacle(change);
    if (obstacle !== null) return obstacle;
    const parsed = parseNodeLines(this.#linesAfter(change));
    if (!parsed.ok) return { ok: false, code: 'refused', problems: parsed.problems };
    if (this.source.kind === 'file') {
      const problems = [`The node list comes from ${this.source.path}: change it there, it is read at once.`];
      return { ok: false, code: 'source_is_file', problems, lines: parsed.nodes.map(formatEntry) };
    }
    const admitted = await this.#admit(parsed.nodes);
    if (!admitted.ok) return admitted;
    // Two names may have one address.
    const resolved = parseNodeLines(admitted.list.map(formatEntry));
    return resolved.ok ? admitted : { ok: false, code: 'refused', problems: resolved.problems };
  }

  #findObstacle(change: NodeChange): Refused | null {
    if (change.kind === 'replace') return null;
    if (change.kind === 'append') {
      const isAddress = !/\s/.test(change.address.trim()) && change.address.trim() !== 'removed';
      return isAddress ? null : { ok: false, code: 'refused', problems: ['Give one address, "host:port".'] };
    }
    const entry = this.#list[change.index];
    if (entry === undefined || entry.state === 'removed') {
      return { ok: false, code: 'no_such_node', problems: [`There is no node ${change.index}.`] };
    }
    if (change.kind !== 'remove' || change.isForced || entry.state === 'draining') return null;
    const fix = `Drain node ${change.index} first, or force it when its memory is lost anyway.`;
    return { ok: false, code: 'not_drained', problems: [fix] };
  }

  #linesAfter(change: NodeChange): readonly string[] {
    if (change.kind === 'replace') return change.lines;
    if (change.kind === 'append') return [...this.lines, change.address];
    const states = { drain: 'draining', activate: 'active', remove: 'removed' } as const;
    const state = states[change.kind];
    return this.#list.map((entry) => formatEntry(entry.index === change.index ? { ...entry, state } : entry));
  }

  /** The list with every new address checked and resolved, or why one is not allowed. */
  async #admit(list: NodeList): Promise<Planned> {
    const known = new Set(this.#list.map(formatAddress));
    const admitted: NodeEntry[] = [];
    for (const entry of list) {
      const isNew = entry.state !== 'removed' && !known.has(formatAddress(entry));
      const host = isNew ? await this.#options.networks.admit(entry.host) : entry.host;
      if (host === null)
        return { ok: false, code: 'address_not_allowed', problems: [this.#tellNetworks(entry)] };
      admitted.push({ ...entry, host });
    }
    return { ok: true, list: admitted };
  }

  #tellNetworks({ index }: NodeEntry): string {
    const fix = this.#options.networks.isEmpty ? 'none are: name them in NODE_NETWORKS' : 'see NODE_NETWORKS';
    return `The address of node ${index} is not in a network that nodes may be taken from (${fix}).`;
  }

  #put(next: NodeList, places: readonly string[] = []): string[] {
    const problems = findRenumbering(this.#list, next, places);
    if (problems.length > 0) return problems;
    const told = describeChanges(this.#list, next);
    this.#list = next;
    if (told.length > 0) this.#options.onChange(next, told);
    return [];
  }

  #tellHowToKeep(): string {
    if (this.source.kind === 'embedded') return 'Embedded nodes and their list end with the bridge.';
    return `Holds until this bridge restarts. Set MEMCACHED_NODES="${this.lines.join(',')}" here and on the other bridges.`;
  }
}

/** An entry as a line of the file. */
export function formatEntry(entry: NodeEntry): string {
  if (entry.state === 'removed') return 'removed';
  return `${formatAddress(entry)}${entry.state === 'draining' ? ' drain' : ''}`;
}

/** What is different in the next list, in words. */
function describeChanges(current: NodeList, next: NodeList): string[] {
  return next.flatMap((entry) => {
    const { index, state } = entry;
    const before = current[index];
    if (before === undefined) return [`Node ${index} was added: ${formatEntry(entry)}.`];
    if (formatEntry(before) === formatEntry(entry)) return [];
    if (state === 'removed') return [`Node ${index} was removed.`];
    if (formatAddress(before) !== formatAddress(entry))
      return [`Node ${index} has another address: ${formatAddress(entry)}.`];
    return [state === 'draining' ? `Node ${index} is being drained.` : `Node ${index} is used again.`];
  });
}
