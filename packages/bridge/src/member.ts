/** What one process of a bridge tells whoever watches over it. All of it can be sent to another process. */
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import type { NodeState } from './health.ts';

/** A metric with its values, as prom-client gives them. */
export type MetricJson = MetricObjectWithValues<MetricValue<string>>;

/** A node as one process sees it. */
export interface NodeLook {
  readonly index: number;
  /** `host:port`; empty when it was removed. */
  readonly address: string;
  readonly state: NodeState | 'removed';
  readonly isDraining: boolean;
  /** Epoch milliseconds of the last change of state. */
  readonly since: number;
  readonly reason: string;
}

/** One process at one moment. */
export interface Look {
  readonly metrics: readonly MetricJson[];
  readonly nodes: readonly NodeLook[];
  /** Counts the changes of the node list. */
  readonly epoch: number;
  /** Why it gets no traffic, or null. */
  readonly notReady: string | null;
  /** Whether so many nodes look down that the fault may be its own. */
  readonly isInDoubt: boolean;
}

/** What memcached says about itself; null when the node did not answer. */
export interface RawFacts {
  readonly index: number;
  readonly stats: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>> | null;
}

/** What one node has to do with a session. */
export interface RouteStep {
  readonly index: number;
  readonly address: string;
  readonly state: NodeState;
  /** `anchor`: all writes meet there. `copy`: holds it too. `spare`: takes the place of one that fails. */
  readonly role: 'anchor' | 'copy' | 'spare' | 'draining' | 'unavailable' | 'named by the ref only';
  readonly answer:
    | { readonly kind: 'record' | 'tombstone'; readonly version: number; readonly isTrusted: boolean }
    | { readonly kind: 'nothing' | 'not asked' | 'no answer' };
}

/** Where a session is looked for, and why. */
export interface Route {
  /** Nodes in the order in which they are responsible for it. */
  readonly steps: readonly RouteStep[];
  /** The index that the ref would carry after the next answer; null when no node can be used. */
  readonly home: number | null;
  /** The whole in words, one sentence each. */
  readonly because: readonly string[];
}

/** The session whose route is asked for. */
export interface RouteQuestion {
  readonly app: string;
  readonly ref: string;
}

/** One process of the bridge. Every call rejects when it cannot be reached. */
export interface Member {
  readonly id: number;
  /** What it had counted when it was last asked; for when it does not answer. */
  readonly lastMetrics: readonly MetricJson[];
  look(): Promise<Look>;
  /** Asks every node that can be used. */
  facts(): Promise<readonly RawFacts[]>;
  explain(question: RouteQuestion): Promise<Route>;
}
