/** Follows each request from its head to its answer: request id, trace, time, metrics, log. */
import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import type { Fields } from './http.ts';
import type { Metrics } from './metrics.ts';
import type { Clock } from './node.ts';

export interface RequestWatchOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Pick<Metrics, 'requestEnded'>;
  /** Names the route of a path; few names, whatever the path. */
  readonly routeOf: (path: string) => string;
  /** Whether clients are to look for another connection. */
  readonly isStopping: () => boolean;
}

/** What handlers find with the request. */
export interface Watched {
  readonly requestId: string;
  /** The trace it belongs to, if it carries one; both go into every log line about it. */
  readonly traceId: string | undefined;
}

export type WatchedEnv = {
  Variables: {
    watched: Watched;
    /** The header fields that its answer must have. */
    fields: () => Fields;
  };
};

const REQUEST_ID = 'X-Request-Id';
/** Trace Context, W3C Recommendation of November 2021, section 3.2. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;
/** Failures logged in each second; more are only counted. */
const MOST_LINES = 10;

/** Wraps every request of an app. */
export function watchRequests(options: RequestWatchOptions): MiddlewareHandler<WatchedEnv> {
  const { clock, log, metrics } = options;
  const lines = new Allowance(clock);
  return async (c, next) => {
    const began = clock.now();
    const traceparent = c.req.header('traceparent');
    const watched = {
      requestId: acceptId(c.req.header(REQUEST_ID)) ?? randomUUID(),
      traceId: TRACEPARENT.exec(traceparent ?? '')?.[1],
    };
    c.set('watched', watched);
    c.set('fields', () => {
      const fields: Fields = { [REQUEST_ID]: watched.requestId };
      if (watched.traceId !== undefined && traceparent !== undefined) fields['traceparent'] = traceparent;
      if (options.isStopping()) fields['Connection'] = 'close';
      return fields;
    });
    await next();
    const route = options.routeOf(c.req.path);
    const { status } = c.res;
    const tookMs = clock.now() - began;
    metrics.requestEnded(route, status, tookMs / 1_000);
    const isFailure = status >= 500 && status !== 507;
    if (isFailure && !lines.take()) return;
    if (!isFailure && !log.isLevelEnabled('debug')) return;
    log[isFailure ? 'warn' : 'debug'](
      { ...watched, method: c.req.method, route, status, tookMs: Math.round(tookMs * 10) / 10 },
      'request',
    );
  };
}

/**
 * An id from outside, when it is harmless: a session's id must not get into the log by it. Those that balancers
 * make of 32 hex digits are in lower case.
 */
function acceptId(id: string | undefined): string | undefined {
  if (id === undefined || !/^[A-Za-z0-9_-]{8,64}$/.test(id)) return undefined;
  return /[0-9A-F]{32}/.test(id) ? undefined : id;
}

/** So many a second. */
class Allowance {
  readonly #clock: Clock;
  #startedAt = 0;
  #used = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(): boolean {
    const now = this.#clock.now();
    if (now - this.#startedAt >= 1_000) {
      this.#startedAt = now;
      this.#used = 0;
    }
    this.#used += 1;
    return this.#used <= MOST_LINES;
  }
}
