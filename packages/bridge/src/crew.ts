/** Who serves clients: one process or several, and how all of them are told something. */
import type { Apps } from './apps-file.ts';
import type { Member, MetricJson } from './member.ts';
import type { NodeList } from './node-list.ts';

/** The processes of one bridge. */
export interface Crew {
  /** Those that serve now. */
  members(): readonly Member[];
  /** Those that finish what they have begun; they still count. */
  leaving(): readonly Member[];
  /** Counters of those that have ended. Taken at the same moment as the others, no sum of all ever falls. */
  retired(): readonly (readonly MetricJson[])[];
  /** How many ended without being told to. */
  readonly crashes: number;
  /** Gives all, and those to come, another node list. It was checked before. */
  setNodes(list: NodeList): void;
  setApps(apps: Apps): void;
}
