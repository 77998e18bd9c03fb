/** Sessions as the bridges keep them: typed reads and writes of records that are verified before use. */
import type { DataCodec } from './codec.ts';
import type { DeferredOperations } from './deferred.ts';
import { SessionError, SessionUnavailableError } from './errors.ts';
import type { OnEvent, UnavailableEvent } from './events.ts';
import { adaptRecord } from './fields.ts';
import type { Clock, RecordCodec, RecordRejection, SessionRecord } from './ports.ts';
import { formatRef, LIMITS, type BatchOperation, type SessionRef } from './protocol.ts';
import type { Transport } from './transport.ts';
import type { Answer } from './wire.ts';

export interface RemoteOptions {
  readonly transport: Transport;
  readonly deferred: DeferredOperations;
  readonly records: RecordCodec;
  readonly clock: Clock;
  /** Never goes back. */
  readonly steadyClock: Clock;
  readonly onEvent: OnEvent;
  /** Seconds. */
  readonly ttl: number;
  /** Seconds. */
  readonly absoluteTtl: number;
  readonly maxRecordBytes: number;
  readonly codec: DataCodec;
}

export interface Unavailable {
  readonly kind: 'unavailable';
  readonly error: SessionUnavailableError;
}

export type ReadOutcome =
  | { readonly kind: 'found'; readonly record: SessionRecord; readonly index: number }
  | { readonly kind: 'unchanged'; readonly index: number | null }
  | { readonly kind: 'absent' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'rejected' }
  | Unavailable;

/** `sentAt`: when the request was sent, steady milliseconds. */
export type WriteOutcome =
  | {
      readonly kind: 'stored';
      readonly index: number;
      readonly copies: number | null;
      readonly sentAt: number;
    }
  | {
      readonly kind: 'conflict';
      readonly record: SessionRecord;
      readonly index: number;
      readonly sentAt: number;
    }
  | { readonly kind: 'absent' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'rejected' }
  | Unavailable;

/** What a reader knows already. */
export interface Query {
  /** The version it holds. */
  readonly held: number | null;
  /** The lowest version of use; 0 for any. */
  readonly floor: number;
  /** Whether to renew the idle lifetime. */
  readonly isTouch: boolean;
}

/** What must be stored for a write to happen: this version, or nothing. */
export type Condition = { readonly ifVersion: number } | 'absent';

export class RemoteSessions {
  readonly #options: RemoteOptions;

  constructor(options: RemoteOptions) {
    this.#options = options;
  }

  async read(ref: SessionRef, { held, floor, isTouch }: Query): Promise<ReadOutcome> {
    const answer = await this.#send('read', {
      method: 'GET',
      ref: formatRef(ref),
      ...(held === null ? {} : { ifNoneMatch: held }),
      ...(floor === 0 ? {} : { minVersion: floor }),
      ...(isTouch ? { ttl: this.#options.ttl } : {}),
    });
    if (answer instanceof SessionUnavailableError) return { kind: 'unavailable', error: answer };
    if (answer.status === 304) return { kind: 'unchanged', index: answer.index };
    if (answer.status === 404) return { kind: 'absent' };
    if (answer.status === 410) return { kind: 'gone' };
    return this.#open(ref.id, answer, 'found');
  }

  /**
   * Stores the record when the condition holds. Repeating it is safe.
   * @throws SessionError `record_too_large`, or `invalid_request` when the bridge refuses it.
   */
  async write(ref: SessionRef, record: SessionRecord, condition: Condition): Promise<WriteOutcome> {
    const text = await this.#options.records.sign(record);
    // A compact JWS or JWE is ASCII: characters are bytes.
    if (text.length > this.#options.maxRecordBytes) {
      throw new SessionError('record_too_large', `It has ${text.length} bytes.`);
    }
    const sentAt = this.#options.steadyClock.now();
    const answer = await this.#send('write', {
      method: 'PUT',
      ref: formatRef(ref),
      version: record.version,
      ttl: this.#ttlOf(record),
      record: text,
      ...(condition === 'absent' ? { ifNoneMatch: '*' as const } : { ifMatch: condition.ifVersion }),
    });
    if (answer instanceof SessionUnavailableError) return { kind: 'unavailable', error: answer };
    if (answer.status === 404) return { kind: 'absent' };
    if (answer.status === 410) return { kind: 'gone' };
    if (answer.status === 412) {
      const opened = await this.#open(ref.id, answer, 'conflict');
      return opened.kind === 'conflict' ? { ...opened, sentAt } : opened;
    }
    // checkResult let no answer through that names no home.
    return { kind: 'stored', index: answer.index ?? 0, copies: answer.copies, sentAt };
  }

  /**
   * Destroys the session; the promise is rejected with SessionUnavailableError when that is not certain. Then it is
   * tried again with later requests until a bridge has done it.
   */
  async destroy(ref: SessionRef): Promise<void> {
    const answer = await this.#send('destroy', this.#destroyOperation(ref));
    if (!(answer instanceof SessionUnavailableError)) return;
    this.destroyLater(ref);
    throw answer;
  }

  /** Destroys the session with a later request to a bridge, as soon as one can do it. */
  destroyLater(ref: SessionRef): void {
    this.#options.deferred.addEnd(this.#destroyOperation(ref));
  }

  /** Renews the idle lifetime; whether that has happened. */
  async touch(ref: SessionRef): Promise<boolean> {
    const answer = await this.#send('touch', this.#touchOperation(ref));
    return !(answer instanceof SessionUnavailableError) && answer.status === 204;
  }

  /** Renews the idle lifetime together with the next request to a bridge; `onDone` is told when it happened. */
  touchLater(ref: SessionRef, onDone: () => void): void {
    this.#options.deferred.addTouch(this.#touchOperation(ref), ({ status }) => {
      if (status === 204) onDone();
    });
  }

  /** The earliest beginning, in seconds, that a session may have had now. */
  startedAfter(): number {
    return Math.floor(this.#options.clock.now() / 1000) - this.#options.absoluteTtl;
  }

  #touchOperation(ref: SessionRef): BatchOperation {
    return { method: 'TOUCH', ref: formatRef(ref), ttl: this.#options.ttl };
  }

  /** A tombstone lives as long as a session could have that was saved a moment before it. */
  #destroyOperation(ref: SessionRef): BatchOperation {
    const ttl = Math.min(2 * this.#options.ttl, LIMITS.ttlSeconds);
    return { method: 'DELETE', ref: formatRef(ref), ttl };
  }

  /** The idle lifetime, or what the absolute one leaves of it. */
  #ttlOf(record: SessionRecord): number {
    return Math.max(1, Math.min(this.#options.ttl, record.startedAt - this.startedAfter()));
  }

  async #open<K extends 'found' | 'conflict'>(
    id: string,
    answer: Answer,
    kind: K,
  ): Promise<
    { kind: K; record: SessionRecord; index: number } | { kind: 'rejected' | 'gone' } | Unavailable
  > {
    const expected = { id, startedAfter: this.startedAfter() };
    const verified = await this.#options.records.verify(answer.record ?? '', expected);
    if (!verified.ok) return this.#reject(verified.reason);
    if (verified.record.isEnd === true) return { kind: 'gone' };
    const record = adaptRecord(verified.record, this.#options.codec);
    if (record === null) return this.#reject('codec');
    if (record.version !== answer.version) {
      const error = new SessionUnavailableError(
        'invalid_response',
        'The ETag is not the version of the record.',
      );
      this.#report('read', error);
      return { kind: 'unavailable', error };
    }
    return { kind, record, index: answer.index ?? 0 };
  }

  #reject(reason: RecordRejection): { kind: 'rejected' } {
    this.#options.onEvent({ type: 'rejected', what: 'record', reason });
    return { kind: 'rejected' };
  }

  /** An outage is a value here, because every caller has something to do about it. */
  async #send(
    operation: UnavailableEvent['operation'],
    request: BatchOperation,
  ): Promise<Answer | SessionUnavailableError> {
    try {
      return await this.#options.transport.send(request);
    } catch (error) {
      if (!(error instanceof SessionUnavailableError)) throw error;
      this.#report(operation, error);
      return error;
    }
  }

  #report(operation: UnavailableEvent['operation'], error: SessionUnavailableError): void {
    this.#options.onEvent({ type: 'unavailable', operation, code: error.code, cause: error });
  }
}
