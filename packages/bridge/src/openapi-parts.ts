/** The parts of the OpenAPI document: parameters, headers and bodies. */
import { ERRORS, HEADERS, LIMITS } from '@memsession/client/protocol';
import { z } from 'zod';
import { SCHEMAS } from './operation.ts';

export type Json = Readonly<Record<string, unknown>>;

const ETAG = { type: 'string', pattern: '^"[0-9]{1,10}"$' };
/** Proxies on the way may weaken one. */
const SENT_ETAG = { type: 'string', pattern: '^(W/)?"[0-9]{1,10}"$' };

function header(name: string, schema: Json, text: { description: string; required?: boolean }): Json {
  return { name, in: 'header', schema, required: false, ...text };
}

/** Path and header parameters by name. */
export const PARAMETERS: Json = {
  ref: {
    name: 'ref',
    in: 'path',
    required: true,
    description: 'The session id, and where to look for it first.',
    schema: toJson(SCHEMAS.ref),
  },
  version: header(HEADERS.version, toJson(SCHEMAS.version), {
    description: 'The version of the record, higher than the one it replaces.',
    required: true,
  }),
  base: header('If-Match', SENT_ETAG, { description: 'The version that is replaced.' }),
  createOnly: header('If-None-Match', { const: '*' }, { description: 'Creates, and replaces nothing.' }),
  knownVersion: header('If-None-Match', SENT_ETAG, { description: 'The version the client holds.' }),
  minVersion: header(HEADERS.minVersion, toJson(SCHEMAS.version), {
    description: 'The lowest version of use: what is older is looked for on every node.',
  }),
  ttl: header(HEADERS.ttl, toJson(SCHEMAS.ttl), { description: 'Lifetime, seconds.', required: true }),
  optionalTtl: header(HEADERS.ttl, toJson(SCHEMAS.ttl), { description: 'A new lifetime, seconds.' }),
};

/** Headers of answers by name. */
export const RESPONSE_HEADERS: Json = {
  ETag: { description: 'The version.', required: true, schema: ETAG },
  [HEADERS.ref]: {
    description: 'The ref from now on.',
    required: true,
    schema: { type: 'string', pattern: '^[0-9A-F]{32}\\.[0-9]{1,4}$' },
  },
  [HEADERS.copies]: {
    description: 'Nodes that acknowledged.',
    required: true,
    schema: { type: 'integer', minimum: 1 },
  },
  'Retry-After': { description: 'Seconds.', required: true, schema: { type: 'integer', minimum: 1 } },
  'WWW-Authenticate': { description: 'How to log in.', required: true, schema: { const: 'Bearer' } },
};

function toJson(schema: z.ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}

function object(properties: Json, optional: readonly string[] = []): Json {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

/** The bodies by name. */
export function schemas(maxRecordBytes: number): Json {
  const codes = Object.entries(ERRORS).flatMap(([code, { status }]) => (status === null ? [] : [code]));
  const error = object({ code: { enum: codes }, message: { type: 'string' } });
  const text = { type: 'string' };
  const result = {
    status: { type: 'integer' },
    ref: toJson(SCHEMAS.ref),
    version: toJson(SCHEMAS.version),
    copies: { type: 'integer', minimum: 1 },
    record: { type: 'string', maxLength: maxRecordBytes },
    error,
  };
  const states = ['up', 'suspected', 'down', 'probing', 'removed'];
  const node = {
    index: { type: 'integer' },
    state: { enum: states },
    draining: { type: 'boolean' },
    reason: text,
  };
  return {
    Error: object({ error }),
    Operation: toJson(SCHEMAS.operation),
    Batch: object({
      operations: {
        type: 'array',
        minItems: 1,
        maxItems: LIMITS.batchOperations,
        items: { $ref: '#/components/schemas/Operation' },
      },
    }),
    BatchResults: object({
      results: { type: 'array', items: object(result, ['ref', 'version', 'copies', 'record', 'error']) },
    }),
    Nodes: object({ epoch: { type: 'integer' }, nodes: { type: 'array', items: object(node) } }),
    Health: object({ status: { const: 'ok' } }),
    Ready: object({ status: { const: 'ready' }, warnings: { type: 'array', items: text } }),
    NotReady: object({ status: { const: 'not ready' }, reason: text }),
  };
}
