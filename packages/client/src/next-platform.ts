/** What the adapter takes from Next.js, so that something else can stand in its place. */
import type { SessionCookie } from './cookies.ts';

/** The part of `await cookies()` that is used. One object stands for one request. */
export interface CookieStore {
  get(name: string): { readonly value: string } | undefined;
  /** Throws where cookies cannot be set: in server components, in `after()`. */
  set(cookie: SessionCookie): unknown;
}

/** The part of a request's headers that is used. */
export type RequestHeaders = Pick<Headers, 'get'>;

export interface NextPlatform {
  /** Rejects outside of a request; while a page is prerendered it may never settle. */
  cookies(): Promise<CookieStore>;
  headers(): Promise<RequestHeaders>;
  /** Runs the work when the answer has left; null in versions of Next.js that cannot do that. */
  readonly after: ((work: () => Promise<unknown>) => void) | null;
}

/** The part of a Pages Router request that is used. */
export interface PagesRequest {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** The part of a Pages Router answer that is used. */
export interface PagesResponse {
  readonly headersSent: boolean;
  getHeader(name: string): number | string | readonly string[] | undefined;
  setHeader(name: string, value: string | readonly string[]): unknown;
}

/** Whether an error is how Next.js passes something on: a redirect, a 404, the end of a prerender. */
export function isControlFlow(error: unknown): boolean {
  return digestOf(error) !== null;
}

/** Whether the error is what `redirect()` throws. */
export function isRedirect(error: unknown): boolean {
  return digestOf(error)?.startsWith('NEXT_REDIRECT;') === true;
}

function digestOf(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('digest' in error)) return null;
  return typeof error.digest === 'string' ? error.digest : null;
}
