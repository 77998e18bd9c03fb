/** The clock for Next.js: reading it is not taken for a value of the page. */
import { systemClock } from './platform.ts';
import type { Clock } from './ports.ts';

/** The part of `AsyncLocalStorage` that is used. Next.js puts the class into the global object, also on the edge. */
interface AsyncContexts {
  snapshot?(): <R>(work: () => R) => R;
}

/** Runs work in the context in which this module was loaded, which is that of no request. */
const outside: <R>(work: () => R) => R = contexts()?.snapshot?.() ?? ((work) => work());

/**
 * With `cacheComponents`, Next.js complains about whatever reads the time while a page is rendered, because the page
 * might show it. Here it only decides whether a session may be shown from memory.
 */
export const nextClock: Clock = { ...systemClock, now: () => outside(() => systemClock.now()) };

function contexts(): AsyncContexts | undefined {
  // Next.js declares it nowhere.
  return (globalThis as { AsyncLocalStorage?: AsyncContexts }).AsyncLocalStorage;
}
