/** The error classes; what their codes mean stands in one table in protocol.ts. */
import { ERRORS, type ErrorCode } from './protocol.ts';

export interface SessionErrorOptions {
  /** The HTTP status, where a bridge answered with another one than the table has. */
  readonly status?: number | undefined;
  readonly cause?: unknown;
}

/** Everything that can go wrong with a session except a caller's own mistake, which is a `TypeError`. */
export class SessionError extends Error {
  override readonly name: string = 'SessionError';
  /** What to switch on. */
  readonly code: ErrorCode;
  /** The HTTP status of the bridge's answer, where there was one. */
  readonly status?: number;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;

  /** `detail` is added to the code's meaning; it must not hold an id, a record or a secret. */
  constructor(code: ErrorCode, detail?: string, options: SessionErrorOptions = {}) {
    const { meaning, status, retryable } = ERRORS[code];
    const message = detail === undefined ? meaning : `${meaning} ${detail}`;
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = retryable;
    const answered = options.status ?? status;
    if (answered !== null) this.status = answered;
  }
}

/**
 * Nobody can know: no bridge answered in time, or no bridge could ask the nodes, and this instance cannot
 * help itself. It never means that there is no session. Its `code` says what failed.
 */
export class SessionUnavailableError extends SessionError {
  override readonly name: string = 'SessionUnavailableError';
  /** All that Next.js lets `error.tsx` know of an error in production. */
  readonly digest: string = 'session_unavailable';
}
