/** The data API as an OpenAPI 3.1 document, made from the schemas that check requests and the table of errors. */
import { ERRORS, type ErrorCode, HEADERS, PATHS, TOKEN_MAX_SECONDS } from '@memsession/client/protocol';
import { type Json, PARAMETERS, RESPONSE_HEADERS, schemas } from './openapi-parts.ts';
import { VERSION } from './version.ts';

export interface ApiOptions {
  /** Largest record, bytes. */
  readonly maxRecordBytes: number;
}

/** The document. */
export function describeApi({ maxRecordBytes }: ApiOptions): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'memsession bridge',
      version: VERSION,
      summary: 'Sessions on memcached nodes, with compare-and-swap and failover.',
      description:
        'Every request may carry X-Request-Id and traceparent; both are in the log of the bridge and come back ' +
        'with the answer. An X-Request-Id that is missing is made up.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    tags: [{ name: 'sessions' }, { name: 'operations' }],
    paths: {
      [`${PATHS.sessions}/{ref}`]: {
        parameters: [{ $ref: '#/components/parameters/ref' }],
        get: GET_SESSION,
        put: putSession(maxRecordBytes),
        delete: DELETE_SESSION,
      },
      [`${PATHS.sessions}/{ref}/touch`]: {
        parameters: [{ $ref: '#/components/parameters/ref' }],
        post: TOUCH_SESSION,
      },
      [PATHS.batch]: { post: BATCH },
      [PATHS.nodes]: { get: NODES },
      [PATHS.health]: { get: HEALTH },
      [PATHS.ready]: { get: READY },
      '/openapi.json': { get: DOCUMENT },
    },
    components: {
      securitySchemes: { token: TOKEN },
      parameters: PARAMETERS,
      headers: RESPONSE_HEADERS,
      schemas: schemas(maxRecordBytes),
    },
  };
}

const TOKEN: Json = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description:
    "HS256, signed with the app's bridge secret; iss = app, aud = memsession-bridge, scope = session, " +
    `at most ${TOKEN_MAX_SECONDS} seconds long.`,
};

const LOCATION = {
  ETag: { $ref: '#/components/headers/ETag' },
  [HEADERS.ref]: { $ref: `#/components/headers/${HEADERS.ref}` },
};

const GET_SESSION: Json = {
  operationId: 'readSession',
  tags: ['sessions'],
  summary: 'Read a session; with a lifetime, touch it in the same step.',
  parameters: [parameter('knownVersion'), parameter('minVersion'), parameter('optionalTtl')],
  responses: {
    200: record('The record.'),
    304: located('The version the client holds is the current one.'),
    ...errors('invalid_request', 'session_not_found', 'session_gone', 'nodes_unavailable'),
    ...common(),
  },
};

function putSession(maxRecordBytes: number): Json {
  const conflict = record('Another save came first; the current record is in the answer.');
  return {
    operationId: 'saveSession',
    tags: ['sessions'],
    summary: 'Create a session, or replace exactly one version of it.',
    description:
      'Either If-Match or If-None-Match is sent. The same request may be repeated after a lost answer.',
    parameters: [parameter('version'), parameter('base'), parameter('createOnly'), parameter('ttl')],
    requestBody: {
      required: true,
      description: `The record, 1 to ${maxRecordBytes} bytes: a compact JWS or JWE.`,
      content: { 'application/octet-stream': {} },
    },
    responses: {
      200: saved('Replaced.'),
      201: saved('Created.'),
      412: conflict,
      ...errors('invalid_request', 'session_not_found', 'session_gone', 'record_too_large'),
      ...errors('nodes_unavailable', 'out_of_memory'),
      ...common(),
    },
  };
}

const DELETE_SESSION: Json = {
  operationId: 'destroySession',
  tags: ['sessions'],
  summary: 'Destroy a session: a tombstone lives for the given time and no save passes it.',
  parameters: [parameter('ttl')],
  responses: {
    204: { description: 'Destroyed, now or before.' },
    ...errors('invalid_request', 'nodes_unavailable'),
    ...common(),
  },
};

const TOUCH_SESSION: Json = {
  operationId: 'touchSession',
  tags: ['sessions'],
  summary: 'Give every copy of a session a new lifetime.',
  parameters: [parameter('ttl')],
  responses: {
    204: located('Touched.'),
    ...errors('invalid_request', 'session_not_found', 'session_gone', 'nodes_unavailable'),
    ...common(),
  },
};

const BATCH: Json = {
  operationId: 'runBatch',
  tags: ['sessions'],
  summary: 'Run many operations; each has its own outcome.',
  requestBody: {
    required: true,
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Batch' } } },
  },
  responses: {
    200: json('The outcomes, in the order of the operations.', 'BatchResults'),
    ...errors('invalid_request', 'record_too_large'),
    ...common(),
  },
};

const NODES: Json = {
  operationId: 'listNodes',
  tags: ['operations'],
  summary: 'The nodes with their states.',
  responses: { 200: json('The nodes.', 'Nodes'), ...errors('unauthorized', 'forbidden', 'internal') },
};

const HEALTH: Json = {
  operationId: 'isAlive',
  tags: ['operations'],
  summary: 'Whether the process serves at all.',
  security: [],
  responses: { 200: json('It does.', 'Health') },
};

const READY: Json = {
  operationId: 'isReady',
  tags: ['operations'],
  summary: 'Whether the bridge should get traffic.',
  security: [],
  responses: { 200: json('It should.', 'Ready'), 503: json('It should not.', 'NotReady') },
};

const DOCUMENT: Json = {
  operationId: 'describe',
  tags: ['operations'],
  summary: 'This document.',
  security: [],
  responses: { 200: { description: 'This document.', content: { 'application/json': {} } } },
};

function parameter(name: string): Json {
  return { $ref: `#/components/parameters/${name}` };
}

function json(description: string, schema: string): Json {
  return {
    description,
    content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
  };
}

function located(description: string): Json {
  return { description, headers: LOCATION };
}

function record(description: string): Json {
  return { description, headers: LOCATION, content: { 'application/octet-stream': {} } };
}

function saved(description: string): Json {
  return {
    description,
    headers: { ...LOCATION, [HEADERS.copies]: { $ref: `#/components/headers/${HEADERS.copies}` } },
  };
}

/** What every answer under /v1 may be. */
function common(): Json {
  return errors('unauthorized', 'forbidden', 'rate_limited', 'internal', 'overloaded');
}

function errors(...codes: ErrorCode[]): Json {
  return Object.fromEntries(codes.map((code) => [ERRORS[code].status, errorAnswer(ERRORS[code].status)]));
}

/** Several codes share a status; all of them are told. */
function errorAnswer(status: number | null): Json {
  const meanings = Object.entries(ERRORS).filter(([, row]) => row.status === status);
  const isLater = status === 429 || status === 503 || status === 507;
  const header = isLater ? 'Retry-After' : status === 401 ? 'WWW-Authenticate' : null;
  return {
    ...json(meanings.map(([code, { meaning }]) => `\`${code}\`: ${meaning}`).join(' '), 'Error'),
    ...(header === null ? {} : { headers: { [header]: { $ref: `#/components/headers/${header}` } } }),
  };
}
