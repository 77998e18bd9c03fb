/** The wire contract between client and bridge: paths, headers, shapes, codes, refs. No I/O. */

/**
 * Names a session and where to look for it first: `<session id>.<node index>`.
 * `index` is null while no bridge has chosen a home yet.
 */
export interface SessionRef {
  /** 32 upper-case hex digits. */
  readonly id: string;
  /** Position of the home node in the bridge's node list, from 0. Only a hint. */
  readonly index: number | null;
}

const REF = /^([0-9A-F]{32})(?:\.([0-9]{1,4}))?$/;

/** The parsed ref, or null when the text is not one. Never throws. */
export function parseRef(text: string): SessionRef | null {
  const match = REF.exec(text);
  if (match?.[1] === undefined) return null;
  return { id: match[1], index: match[2] === undefined ? null : Number(match[2]) };
}

/** The text form of a ref, e.g. `602F7397FBE4D9932E59A9D0E52FE178.0`. */
export function formatRef(ref: SessionRef): string {
  return ref.index === null ? ref.id : `${ref.id}.${ref.index}`;
}

/** Bounds that both sides check before anything is sent on. */
export const LIMITS = {
  /** Longest lifetime memcached takes as a relative one, seconds (30 days). */
  ttlSeconds: 2_592_000,
  /** Largest version; it must fit memcached's 32-bit flags. */
  version: 2_147_483_648,
  /** Operations in one batch. */
  batchOperations: 128,
  /** Bytes of one batch request. */
  batchBytes: 4_194_304,
} as const;

export const PATHS = {
  sessions: '/v1/sessions',
  batch: '/v1/batch',
  nodes: '/v1/nodes',
  health: '/healthz',
  ready: '/readyz',
} as const;

/** Header names as sent; HTTP compares them without case. */
export const HEADERS = {
  version: 'Session-Version',
  minVersion: 'Session-Min-Version',
  ttl: 'Session-TTL',
  ref: 'Session-Ref',
  copies: 'Session-Copies',
} as const;

/** `aud` of a bridge token. */
export const TOKEN_AUDIENCE = 'memsession-bridge';
/** `scope` of a bridge token that reads and writes sessions. */
export const TOKEN_SCOPE = 'session';
/** Longest life of a bridge token, seconds. */
export const TOKEN_MAX_SECONDS = 300;

/** What an app may be called: it prefixes every key, so it has no colon and no space. */
export const APP_NAME: RegExp = /^[a-z0-9][a-z0-9_-]{0,63}$/;

const WHOLE_NUMBER = /^[0-9]{1,10}$/;

/** A version from 1 to 2^31, or null when the text is not one. */
export function parseVersion(text: string): number | null {
  return parseWhole(text, LIMITS.version);
}

/** A lifetime in whole seconds from 1 to 2,592,000, or null when the text is not one. */
export function parseTtlSeconds(text: string): number | null {
  return parseWhole(text, LIMITS.ttlSeconds);
}

function parseWhole(text: string, most: number): number | null {
  if (!WHOLE_NUMBER.test(text)) return null;
  const number = Number(text);
  return number >= 1 && number <= most ? number : null;
}

/** The entity tag of a version: `"14"`. */
export function formatEtag(version: number): string {
  return `"${version}"`;
}

/** The version in a strong or weak entity tag (proxies may weaken one), or null. */
export function parseEtag(text: string): number | null {
  const match = /^(?:W\/)?"([0-9]{1,10})"$/.exec(text.trim());
  return match?.[1] === undefined ? null : parseVersion(match[1]);
}

/** One row of the error table: what a code means and what a caller may do about it. */
export interface ErrorMeaning {
  /** HTTP status the bridge answers with; null where the code never crosses the wire. */
  readonly status: number | null;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  readonly meaning: string;
}

export type ErrorCode =
  | 'invalid_request'
  | 'unauthorized'
  | 'forbidden'
  | 'session_not_found'
  | 'no_route'
  | 'session_gone'
  | 'version_conflict'
  | 'record_too_large'
  | 'overloaded'
  | 'rate_limited'
  | 'nodes_unavailable'
  | 'out_of_memory'
  | 'internal'
  | 'bridge_unavailable'
  | 'invalid_response'
  | 'conflict'
  | 'session_destroyed'
  | 'data_not_serializable'
  | 'read_only'
  | 'cookies_sent';

/** Every error code of client and bridge. docs/protocol.md repeats this table; a test compares them. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorMeaning>> = {
  invalid_request: {
    status: 400,
    retryable: false,
    meaning: 'A path, header or body field is missing or out of range; the message names it.',
  },
  unauthorized: {
    status: 401,
    retryable: false,
    meaning: 'No token, or one that is expired, forged or made with an unknown secret.',
  },
  forbidden: { status: 403, retryable: false, meaning: 'The token is valid but does not allow this.' },
  session_not_found: {
    status: 404,
    retryable: false,
    meaning: 'The session is certainly absent: every node that may hold it was asked.',
  },
  no_route: {
    status: 404,
    retryable: false,
    meaning: 'There is no such path; says nothing about any session.',
  },
  session_gone: {
    status: 410,
    retryable: false,
    meaning: 'The session was destroyed and must not be written again.',
  },
  version_conflict: {
    status: 412,
    retryable: false,
    meaning: 'Another save came first; the current record is in the answer.',
  },
  record_too_large: {
    status: 413,
    retryable: false,
    meaning: 'The record or body is over the limit; nothing was changed.',
  },
  overloaded: {
    status: 503,
    retryable: true,
    meaning: 'The bridge has more work than it takes on; nothing was done.',
  },
  rate_limited: {
    status: 429,
    retryable: true,
    meaning: 'The app has more requests in flight than it may; nothing was done.',
  },
  nodes_unavailable: {
    status: 503,
    retryable: true,
    meaning: 'Nodes that may hold the session cannot be asked or written to: nobody can know.',
  },
  out_of_memory: { status: 507, retryable: true, meaning: 'No node has memory for the record.' },
  internal: {
    status: 500,
    retryable: true,
    meaning: 'A defect in the bridge; its log has the details under the request id.',
  },
  bridge_unavailable: { status: null, retryable: true, meaning: 'No bridge answered within the deadline.' },
  invalid_response: {
    status: null,
    retryable: true,
    meaning: 'Something answered in the place of the bridge, or it broke the protocol.',
  },
  conflict: {
    status: null,
    retryable: false,
    meaning: 'Another save came first and the conflict was not to be merged.',
  },
  session_destroyed: {
    status: null,
    retryable: false,
    meaning: 'The session was destroyed while this request was using it.',
  },
  data_not_serializable: {
    status: null,
    retryable: false,
    meaning: 'A field holds what the codec cannot carry; the message has its path.',
  },
  read_only: {
    status: null,
    retryable: false,
    meaning: 'Cookies cannot be set in this place, so the session cannot be written.',
  },
  cookies_sent: { status: null, retryable: false, meaning: 'The cookies of this answer have already left.' },
};

/** Whether a code from the wire is one of the table's. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

/** The body of every error answer. */
export interface ErrorBody {
  readonly error: { readonly code: ErrorCode; readonly message: string };
}

/** One operation of `POST /v1/batch`, with the fields its method needs. */
export interface BatchOperation {
  readonly method: 'GET' | 'PUT' | 'TOUCH' | 'DELETE';
  readonly ref: string;
  /** PUT: the version of the record. */
  readonly version?: number;
  /** PUT: the version it replaces. GET: answer 304 when it is still this one (`ifNoneMatch`). */
  readonly ifMatch?: number;
  /** PUT: `'*'` creates only. GET: the version already held. */
  readonly ifNoneMatch?: number | '*';
  /** GET: the lowest version of use. */
  readonly minVersion?: number;
  /** Seconds. Needed by PUT, TOUCH and DELETE; on GET it touches in the same step. */
  readonly ttl?: number;
  /** PUT: the record, a compact JWS or JWE. */
  readonly record?: string;
}

/** The answer to one operation of a batch, in the order of the operations. */
export interface BatchResult {
  readonly status: number;
  readonly ref?: string;
  readonly version?: number;
  readonly copies?: number;
  readonly record?: string;
  readonly error?: ErrorBody['error'];
}
