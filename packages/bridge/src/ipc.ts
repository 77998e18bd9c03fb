/** What the processes of one bridge say to each other. */
import type { Apps } from './apps-file.ts';
import type { Config } from './config.ts';
import type { NodeState } from './health.ts';
import type { Look, MetricJson, RawFacts, Route, RouteQuestion } from './member.ts';
import type { NodeList } from './node-list.ts';

/** From the process that watches over the others. */
export type ToWorker =
  | { readonly kind: 'start'; readonly config: Config }
  | { readonly kind: 'ask'; readonly number: number; readonly question: Question }
  | { readonly kind: 'nodes'; readonly list: NodeList }
  | { readonly kind: 'apps'; readonly apps: Apps }
  | { readonly kind: 'warnings'; readonly warnings: readonly string[] }
  /** Another worker found a node down, or back. */
  | { readonly kind: 'told'; readonly index: number; readonly to: 'down' | 'up'; readonly reason: string }
  | { readonly kind: 'stop'; readonly waitMs: number; readonly graceMs: number };

export type Question =
  { readonly kind: 'look' } | { readonly kind: 'facts' } | ({ readonly kind: 'explain' } & RouteQuestion);

export type Reply = Look | readonly RawFacts[] | Route;

/** From a process that serves. */
export type FromWorker =
  /** It listens to its parent; nothing may be said to it before. */
  | { readonly kind: 'hello' }
  | { readonly kind: 'serving'; readonly url: string }
  /** It could not start to serve. */
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'reply'; readonly number: number; readonly reply: Reply }
  | { readonly kind: 'no reply'; readonly number: number; readonly message: string }
  | {
      readonly kind: 'transition';
      readonly index: number;
      readonly from: NodeState;
      readonly to: NodeState;
      readonly reason: string;
      /** Because another worker had told; no news for the others. */
      readonly isHearsay: boolean;
    }
  /** The last thing it says. */
  | { readonly kind: 'ended'; readonly metrics: readonly MetricJson[] };
