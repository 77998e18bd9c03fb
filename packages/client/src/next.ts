/** The Next.js adapter: one call gives the session in every place where one can be used. */
import { cookies, headers } from 'next/headers.js';
import * as server from 'next/server.js';
import { nextClock } from './next-clock.ts';
import type { NextPlatform } from './next-platform.ts';
import { createNextSessions, type NextSessions } from './next-sessions.ts';
import type { SessionOptions } from './options.ts';

export type { LoadOptions } from './manager.ts';
export type { PagesRequest, PagesResponse } from './next-platform.ts';
export type { Guard, GuardAnswer, SessionProxy } from './next-proxy.ts';
export type { GetSession, NextSessions } from './next-sessions.ts';
export type { SessionOptions } from './options.ts';
export type { Session, SessionMeta } from './session.ts';

/** Next.js has after() since 15.1. */
const after: typeof server.after | undefined = server.after;

const platform: NextPlatform = { cookies, headers, after: after ?? null };

/**
 * Sessions with these options. They are checked when the first session is asked for, because `next build` loads
 * modules where no secrets are.
 *
 * @example
 * // lib/session.ts, with SESSION_SECRET, BRIDGE_URL and BRIDGE_SECRET in the environment
 * export const { getSession, withSession, sessionProxy } = createSessions<{ name?: string; cart?: string[] }>();
 */
export function createSessions<T extends object = Record<string, unknown>>(
  options: SessionOptions<T> = {},
): NextSessions<T> {
  return createNextSessions({ ...options, clock: options.clock ?? nextClock }, platform);
}
