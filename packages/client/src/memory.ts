/** What all copies of this module in one process share: frameworks load a module several times. */
import type { Breaker } from './breaker.ts';
import { SessionCache, type CacheLimits } from './cache.ts';
import { DeferredOperations } from './deferred.ts';
import type { Clock } from './ports.ts';
import { SealMemory } from './seal.ts';
import { SteadyClock } from './steady-clock.ts';

/** One instance's memory for one app. */
export interface InstanceMemory {
  readonly cache: SessionCache;
  readonly seals: SealMemory;
  /** For all times that the cache keeps: they must be of one clock. */
  readonly clock: Clock;
  /** URL → whether that bridge is worth a try: what one copy finds out, all know. */
  readonly breakers: Map<string, Breaker>;
  /** Leaves with the next request of any copy. */
  readonly deferred: DeferredOperations;
  /** Things that are said once, e.g. a warning. */
  readonly said: Set<string>;
}

const KEY: unique symbol = Symbol.for('memsession.v1');

interface Shelf {
  readonly isFor: (identity: string) => boolean;
  readonly memory: InstanceMemory;
}

type Holder = { [KEY]?: Shelf[] };

/**
 * The memory for managers of the same identity (app, bridges, secrets) below `holder`, which is the global
 * object except in tests that play several instances in one process.
 */
export function instanceMemory(
  holder: object,
  identity: string,
  { limits, clock }: { readonly limits: CacheLimits; readonly clock: Clock },
): InstanceMemory {
  // The symbol is ours: nobody else puts anything there.
  const shelves = ((holder as Holder)[KEY] ??= []);
  const known = shelves.find((shelf) => shelf.isFor(identity));
  if (known !== undefined) return known.memory;
  const memory: InstanceMemory = {
    cache: new SessionCache(limits),
    seals: new SealMemory(),
    clock: new SteadyClock(clock),
    breakers: new Map<string, Breaker>(),
    deferred: new DeferredOperations(),
    said: new Set<string>(),
  };
  // A closure, because the identity holds secrets and the holder can be seen by everybody.
  shelves.push({ isFor: (other) => other === identity, memory });
  return memory;
}
