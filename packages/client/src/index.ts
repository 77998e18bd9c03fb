/** The public surface. */
export { createSessionManager } from './manager.ts';
export type { GetSessionOptions, LoadOptions, SessionManager } from './manager.ts';
export type { Session, SessionControls, SessionMeta } from './session.ts';
export { DEFAULTS } from './options.ts';
export type { CacheOptions, Conflict, CookieOptions, SessionOptions } from './options.ts';
export { SessionError, SessionUnavailableError } from './errors.ts';
export { ERRORS, type ErrorCode, type ErrorMeaning } from './protocol.ts';
export type * from './events.ts';
export type { DataCodec, JsonValue } from './codec.ts';
export { appendCookies, readCookieHeader } from './cookies.ts';
export type { CookieJar, ReadOnlyReason, SessionCookie } from './cookies.ts';
export { isPlainLocalhost } from './request-jar.ts';
export { createRecordCodec } from './record.ts';
export type { RecordOptions } from './record.ts';
export type * from './ports.ts';
