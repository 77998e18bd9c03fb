/** What a client asks for, parsed from a request or a batch by one set of schemas. Pure. */
import { LIMITS, parseRef, type SessionRef } from '@memsession/client/protocol';
import { z } from 'zod';

/** A checked operation; only this goes further in. */
export type Operation =
  | {
      readonly method: 'GET';
      readonly ref: SessionRef;
      /** The version the client holds. */
      readonly known: number | null;
      readonly floor: number | null;
      readonly ttlSeconds: number | null;
    }
  | {
      readonly method: 'PUT';
      readonly ref: SessionRef;
      readonly version: number;
      /** The version it replaces; null creates. */
      readonly base: number | null;
      readonly ttlSeconds: number;
      readonly record: Buffer;
    }
  | { readonly method: 'TOUCH' | 'DELETE'; readonly ref: SessionRef; readonly ttlSeconds: number };

/** Why something is no operation: the field at fault and what it must be. Never its value. */
export interface OperationProblem {
  readonly field: string;
  readonly problem: string;
}

export type ParsedOperation =
  | { readonly ok: true; readonly operation: Operation }
  | ({ readonly ok: false; readonly isTooLarge: boolean } & OperationProblem);

const version = z
  .int({ error: `must be a whole number from 1 to ${LIMITS.version}` })
  .min(1)
  .max(LIMITS.version);
const ttl = z
  .int({ error: `must be whole seconds from 1 to ${LIMITS.ttlSeconds}` })
  .min(1)
  .max(LIMITS.ttlSeconds);
const ref = z.string({ error: 'is missing' }).regex(/^[0-9A-F]{32}(?:\.[0-9]{1,4})?$/, {
  error: 'must be 32 upper-case hex digits, optionally with "." and an index',
});
const record = z.string({ error: 'must not be empty' }).min(1);
const bytes = z.instanceof(Buffer).refine((buffer) => buffer.length > 0, { error: 'must not be empty' });

const get = z.strictObject({
  method: z.literal('GET'),
  ref,
  ifNoneMatch: version.optional(),
  minVersion: version.optional(),
  ttl: ttl.optional(),
});
const put = z.strictObject({
  method: z.literal('PUT'),
  ref,
  version,
  ifMatch: version.optional(),
  ifNoneMatch: z.literal('*', { error: 'must be * where nothing is replaced' }).optional(),
  ttl,
  record,
});
const touch = z.strictObject({ method: z.literal('TOUCH'), ref, ttl });
const remove = z.strictObject({ method: z.literal('DELETE'), ref, ttl });

/** What text becomes that is none. */
const REPLACEMENT = Buffer.from('\ufffd');

const UNKNOWN_METHOD = { error: 'must be GET, PUT, TOUCH or DELETE' };

/** What a batch may hold, and the parts of single requests, for whoever describes the interface. */
export const SCHEMAS: Readonly<Record<'operation' | 'ref' | 'version' | 'ttl', z.ZodType>> = {
  operation: z.discriminatedUnion('method', [get, put, touch, remove], UNKNOWN_METHOD),
  ref,
  version,
  ttl,
};

const anyOperation = z.discriminatedUnion(
  'method',
  [get, put.extend({ record: z.union([record, bytes], { error: 'must not be empty' }) }), touch, remove],
  UNKNOWN_METHOD,
);

/** The operation in a batch entry, or in the fields of a request; `maxRecordBytes` bounds a record. */
export function parseOperation(raw: unknown, maxRecordBytes: number): ParsedOperation {
  const parsed = anyOperation.safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    if (issue?.code === 'unrecognized_keys') {
      // What is no field at all is not repeated: it may be an id, or a record that stands in the wrong place.
      const known = issue.keys.filter(
        (key) => Object.hasOwn(put.shape, key) || Object.hasOwn(get.shape, key),
      );
      return known.length > 0
        ? refuse(known.join(', '), 'is not used by this method')
        : refuse('operation', 'has a field that does not exist');
    }
    const field = issue?.path.join('.') ?? '';
    return refuse(field === '' ? 'operation' : field, issue?.message ?? '');
  }
  const { data } = parsed;
  const target = parseRef(data.ref);
  if (target === null) return refuse('ref', 'is not a session ref');
  if (data.method === 'TOUCH' || data.method === 'DELETE') {
    return { ok: true, operation: { method: data.method, ref: target, ttlSeconds: data.ttl } };
  }
  if (data.method === 'PUT') return parsePut(data, target, maxRecordBytes);
  const known = data.ifNoneMatch ?? null;
  const operation = { known, floor: data.minVersion ?? null, ttlSeconds: data.ttl ?? null };
  return { ok: true, operation: { method: 'GET', ref: target, ...operation } };
}

function parsePut(data: PutFields, target: SessionRef, maxRecordBytes: number): ParsedOperation {
  if (data.ifMatch === undefined && data.ifNoneMatch === undefined)
    return refuse('ifMatch', 'or If-None-Match (ifNoneMatch) must be given');
  if (data.ifMatch !== undefined && data.ifNoneMatch !== undefined)
    return refuse('ifMatch', 'only one of it and If-None-Match (ifNoneMatch) may be given');
  const base = data.ifMatch ?? null;
  if (base !== null && data.version <= base)
    return refuse('version', 'must be higher than the one it replaces');
  const body = typeof data.record === 'string' ? encode(data.record) : data.record;
  if (body === null) return refuse('record', 'must be text');
  if (body.length > maxRecordBytes) {
    return {
      ok: false,
      isTooLarge: true,
      field: 'record',
      problem: `must have at most ${maxRecordBytes} bytes`,
    };
  }
  const fields = { version: data.version, base, ttlSeconds: data.ttl, record: body };
  return { ok: true, operation: { method: 'PUT', ref: target, ...fields } };
}

/** Null for half a surrogate pair: it has no bytes, and something else would be stored than was sent. */
function encode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.includes(REPLACEMENT) && bytes.toString('utf8') !== text ? null : bytes;
}

type PutFields = Extract<z.infer<typeof anyOperation>, { method: 'PUT' }>;

function refuse(field: string, problem: string): ParsedOperation {
  return { ok: false, isTooLarge: false, field, problem };
}
