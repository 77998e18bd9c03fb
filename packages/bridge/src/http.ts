/** Between HTTP and operations: reads fields from headers and bodies, writes answers. */
import { isAscii, isUtf8 } from 'node:buffer';
import { formatEtag, HEADERS, LIMITS, parseEtag } from '@memsession/client/protocol';
import { type Answered, failure, RETRY_AFTER_SECONDS } from './answer.ts';
import type { BodyRefusal } from './body.ts';

/** What is read of a request's head. */
export type Header = (name: string) => string | undefined;

/** A header as a number where it is one; otherwise as it is, for the schema to refuse. */
export function readNumber(header: Header, name: string): number | string | undefined {
  const text = header(name);
  return text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : text;
}

/** A header's entity tag as a version where it is one; otherwise as it is. */
export function readEtag(header: Header, name: string): number | string | undefined {
  const text = header(name);
  return text === undefined ? undefined : (parseEtag(text) ?? text);
}

/** The operations of a batch, not yet checked one by one, or why it is none. */
export function parseBatch(body: Buffer): readonly unknown[] | Refusal {
  const parsed = isUtf8(body) ? parseJson(body.toString('utf8')) : undefined;
  if (parsed === undefined) return { field: 'body', problem: 'is not JSON', isTooLarge: false };
  const operations =
    typeof parsed === 'object' && parsed !== null && 'operations' in parsed ? parsed.operations : null;
  if (Array.isArray(operations) && operations.length > 0 && operations.length <= LIMITS.batchOperations)
    return operations;
  const problem = `must be a list of 1 to ${LIMITS.batchOperations} operations`;
  return { field: 'operations', problem, isTooLarge: false };
}

/** The value, or undefined when the text is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Callers say what it should have been.
    return undefined;
  }
}

/** Where a field of an operation stands in a request, for messages. */
const HEADER_OF_FIELD: Readonly<Record<string, string>> = {
  ref: 'ref in the path',
  version: HEADERS.version,
  minVersion: HEADERS.minVersion,
  ttl: HEADERS.ttl,
  ifMatch: 'If-Match',
  ifNoneMatch: 'If-None-Match',
  record: 'body',
};

/** Why something is no operation. `place`: where its fields stand. */
export interface Refusal {
  readonly field: string;
  readonly problem: string;
  readonly isTooLarge: boolean;
}

/** The answer to what is no operation. */
export function refuse({ field, problem, isTooLarge }: Refusal, place: 'headers' | 'batch'): Answered {
  const name = place === 'headers' ? (HEADER_OF_FIELD[field] ?? field) : field;
  return failure(isTooLarge ? 'record_too_large' : 'invalid_request', `${name}: ${problem}.`);
}

/** The answer to a body that was not taken. */
export function refuseBody(refusal: BodyRefusal, what: string, mostBytes: number): Answered {
  if (refusal === 'overloaded') return failure('overloaded');
  if (refusal === 'broken_off') return failure('invalid_request', `${what}: broke off before its end.`);
  return failure('record_too_large', `${what}: must have at most ${mostBytes} bytes.`);
}

/** Header fields of an answer, by their names. */
export type Fields = Record<string, string>;

/** Up to this size a record is joined with the head of its answer and leaves in one piece. */
const JOIN_BYTES = 16_384;

/**
 * The answer as HTTP, with these fields besides its own. They are given here because they are a plain object until
 * the answer is out: looking into a Response's headers costs more than all of them.
 */
export function respond({ status, ref, version, copies, record, error }: Answered, more?: Fields): Response {
  const headers: Fields = { 'Cache-Control': 'no-store', ...more };
  if (version !== undefined) headers['ETag'] = formatEtag(version);
  if (ref !== undefined) headers[HEADERS.ref] = ref;
  if (copies !== undefined) headers[HEADERS.copies] = String(copies);
  if (status === 503 || status === 429 || status === 507)
    headers['Retry-After'] = String(RETRY_AFTER_SECONDS);
  if (status === 401) headers['WWW-Authenticate'] = 'Bearer';
  if (record !== undefined) {
    headers['Content-Type'] = 'application/octet-stream';
    return new Response(bodyOf(record), { status, headers });
  }
  if (error === undefined) return new Response(null, { status, headers });
  return sendJson({ error }, status, headers);
}

export function respondJson(body: unknown, status: number = 200, more?: Fields): Response {
  return sendJson(body, status, { 'Cache-Control': 'no-store', ...more });
}

function sendJson(body: unknown, status: number, headers: Fields): Response {
  headers['Content-Type'] = 'application/json';
  return new Response(JSON.stringify(body), { status, headers });
}

/** Records are ASCII unless somebody else made them; as text a small one needs no write of its own. */
function bodyOf(record: Buffer): string | Uint8Array<ArrayBuffer> {
  if (record.length <= JOIN_BYTES && isAscii(record)) return record.toString('latin1');
  return new Uint8Array(record);
}
