/** Runs an operation on the store and says the outcome in the words of the protocol. */
import { type BatchResult, type ErrorCode, ERRORS, formatRef } from '@memsession/client/protocol';
import type { Found, SaveResult, SessionStore } from './store.ts';
import type { Operation } from './operation.ts';

/** An answer before it becomes HTTP or an entry of a batch. */
export interface Answered {
  readonly status: number;
  readonly ref?: string;
  readonly version?: number;
  readonly copies?: number;
  readonly record?: Buffer;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** The outcome of an operation of this app. */
export async function answer(store: SessionStore, app: string, operation: Operation): Promise<Answered> {
  const { ref } = operation;
  switch (operation.method) {
    case 'GET': {
      const { floor, ttlSeconds, known } = operation;
      const result = await store.read({ app, ref, floor, ttlSeconds });
      if (result.kind !== 'found') return refusal(result.kind);
      const isKnown = result.version === known;
      return {
        status: isKnown ? 304 : 200,
        ...locate(ref.id, result),
        ...(isKnown ? {} : { record: result.record }),
      };
    }
    case 'TOUCH': {
      const result = await store.touch({ app, ref, ttlSeconds: operation.ttlSeconds });
      return result.kind === 'found' ? { status: 204, ...locate(ref.id, result) } : refusal(result.kind);
    }
    case 'DELETE': {
      const result = await store.destroy({ app, ref, ttlSeconds: operation.ttlSeconds });
      return result.kind === 'destroyed' ? { status: 204 } : refusal(result.kind);
    }
    case 'PUT':
      return answerSave(await store.save({ app, ...operation }), operation);
  }
}

function answerSave(result: SaveResult, { ref, version, base }: Operation & { method: 'PUT' }): Answered {
  if (result.kind === 'stored') {
    const { home, copies } = result;
    return {
      status: base === null ? 201 : 200,
      ref: formatRef({ id: ref.id, index: home }),
      version,
      copies,
    };
  }
  if (result.kind !== 'conflict') return refusal(result.kind);
  return { ...failure('version_conflict'), ...locate(ref.id, result), record: result.record };
}

function locate(id: string, { version, home }: Found): { ref: string; version: number } {
  return { ref: formatRef({ id, index: home }), version };
}

const REFUSALS = {
  absent: 'session_not_found',
  gone: 'session_gone',
  unknown: 'nodes_unavailable',
  out_of_memory: 'out_of_memory',
  too_large: 'record_too_large',
} as const satisfies Record<string, ErrorCode>;

function refusal(kind: keyof typeof REFUSALS): Answered {
  return failure(REFUSALS[kind]);
}

/** An error answer; without a message it says what the code means. */
export function failure(code: ErrorCode, message: string = ERRORS[code].meaning): Answered {
  return { status: ERRORS[code].status ?? 500, error: { code, message } };
}

/** The entry of a batch for an answer. Records in a batch are text; one that is not is reported, not mangled. */
export function toBatchResult({ record, ...rest }: Answered): BatchResult {
  if (record === undefined) return rest;
  const text = record.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(record)) return { ...rest, record: text };
  return toBatchResult(failure('internal', 'The record is not text: read it by itself, not in a batch.'));
}

/** Seconds after which a refused client may come again. */
export const RETRY_AFTER_SECONDS = 1;
