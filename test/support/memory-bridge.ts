/** A bridge in memory: keeps the wire protocol to the letter, so that the client can be tested without nodes. */
import { jwtVerify } from 'jose';
import {
  ERRORS,
  formatEtag,
  formatRef,
  HEADERS,
  LIMITS,
  parseEtag,
  parseRef,
  parseTtlSeconds,
  parseVersion,
  TOKEN_AUDIENCE,
  TOKEN_MAX_SECONDS,
  TOKEN_SCOPE,
  type BatchOperation,
  type BatchResult,
  type ErrorCode,
  type SessionRef,
} from '../../packages/client/src/protocol.ts';

export interface MemoryBridgeOptions {
  /** App → the secrets its tokens may be made with. */
  readonly secrets: Readonly<Record<string, readonly string[]>>;
  readonly now?: () => number;
  /** How many nodes there are; each holds everything. */
  readonly nodes?: number;
  readonly maxRecordBytes?: number;
  /** Whether requests are believed without a token, as of the app `default`. */
  readonly isOpen?: boolean;
}

/** What is stored under one id; the record is empty in a tombstone. */
export interface StoredItem {
  readonly version: number;
  readonly record: string;
  expiresAt: number;
}

export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
}

class Refusal extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message = '') {
    super(message);
    this.code = code;
  }
}

export class MemoryBridge {
  readonly #options: Required<MemoryBridgeOptions>;
  /** `<app>:<id>` → item. */
  readonly items = new Map<string, StoredItem>();
  /** Indexes of nodes that are down; when all are, nobody can know anything. */
  readonly down = new Set<number>();
  readonly requests: SeenRequest[] = [];
  /** Every operation, alone or in a batch. */
  readonly operations: BatchOperation[] = [];

  constructor(options: MemoryBridgeOptions) {
    this.#options = { now: () => Date.now(), nodes: 3, maxRecordBytes: 524_288, isOpen: false, ...options };
  }

  /** All nodes lose their memory. */
  wipe(): void {
    this.items.clear();
  }

  item(id: string, app = 'default'): StoredItem | undefined {
    return this.#live(`${app}:${id}`);
  }

  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const request = new Request(url, init);
    const body = await request.text();
    const { method, headers } = request;
    this.requests.push({ method, url, headers, body });
    const { pathname } = new URL(url);
    if (pathname === '/healthz') return Response.json({ status: 'ok' });
    try {
      const app = await this.#authenticate(headers);
      if (pathname === '/v1/batch' && method === 'POST') return this.#batch(app, body);
      return asResponse(this.#run(app, operationOf({ method, pathname, headers, body })));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return refusalResponse(error);
    }
  };

  async #authenticate(headers: Headers): Promise<string> {
    if (this.#options.isOpen) return 'default';
    const token = /^Bearer (.+)$/.exec(headers.get('authorization') ?? '')?.[1] ?? '';
    for (const [app, secrets] of Object.entries(this.#options.secrets)) {
      for (const secret of secrets) {
        try {
          const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), {
            algorithms: ['HS256'],
            issuer: app,
            audience: TOKEN_AUDIENCE,
            currentDate: new Date(this.#options.now()),
          });
          const life = (payload.exp ?? Infinity) - (payload.iat ?? 0);
          if (payload['scope'] === TOKEN_SCOPE && life <= TOKEN_MAX_SECONDS) return app;
        } catch {
          // The next secret may be the right one.
        }
      }
    }
    throw new Refusal('unauthorized');
  }

  #batch(app: string, body: string): Response {
    if (body.length > LIMITS.batchBytes) throw new Refusal('record_too_large');
    // What the client sends is checked operation by operation.
    const { operations } = JSON.parse(body) as { operations: BatchOperation[] };
    if (operations.length < 1 || operations.length > LIMITS.batchOperations)
      throw new Refusal('invalid_request');
    const results = operations.map((operation): BatchResult => {
      try {
        return this.#run(app, operation);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        const { code, message } = error;
        return { status: ERRORS[code].status ?? 500, error: { code, message } };
      }
    });
    return Response.json({ results });
  }

  #run(app: string, operation: BatchOperation): BatchResult {
    this.operations.push(operation);
    const ref = parseRef(operation.ref);
    if (ref === null) throw new Refusal('invalid_request', 'ref');
    checkNumbers(operation);
    const home = this.#homeOf(ref);
    const key = `${app}:${ref.id}`;
    switch (operation.method) {
      case 'GET':
        return this.#get(key, operation, { id: ref.id, index: home });
      case 'PUT':
        return this.#put(key, operation, { id: ref.id, index: home });
      case 'TOUCH':
        this.#found(key).expiresAt = this.#expiry(operation.ttl);
        return { status: 204 };
      case 'DELETE': {
        const version = (this.#live(key)?.version ?? 0) + 1;
        this.items.set(key, { version, record: '', expiresAt: this.#expiry(operation.ttl) });
        return { status: 204 };
      }
    }
  }

  #get(key: string, operation: BatchOperation, ref: SessionRef): BatchResult {
    const item = this.#found(key);
    if (operation.ttl !== undefined) item.expiresAt = this.#expiry(operation.ttl);
    const { version, record } = item;
    if (operation.ifNoneMatch === version) return { status: 304, version, ref: formatRef(ref) };
    return { status: 200, version, record, ref: formatRef(ref) };
  }

  #put(key: string, operation: BatchOperation, ref: SessionRef): BatchResult {
    const { version = 0, record = '', ifMatch } = operation;
    const item = this.#live(key);
    if (item?.record === '') throw new Refusal('session_gone');
    const isRepeated = item?.version === version && item.record === record;
    if (!isRepeated) {
      if (ifMatch !== undefined && item === undefined) throw new Refusal('session_not_found');
      if (item !== undefined && item.version !== ifMatch) {
        return { status: 412, version: item.version, record: item.record, ref: formatRef(ref) };
      }
    }
    this.items.set(key, { version, record, expiresAt: this.#expiry(operation.ttl) });
    const copies = Math.min(2, this.#options.nodes - this.down.size);
    return { status: item === undefined ? 201 : 200, version, copies, ref: formatRef(ref) };
  }

  #found(key: string): StoredItem {
    const item = this.#live(key);
    if (item === undefined) throw new Refusal('session_not_found');
    if (item.record === '') throw new Refusal('session_gone');
    return item;
  }

  #live(key: string): StoredItem | undefined {
    const item = this.items.get(key);
    return item !== undefined && item.expiresAt > this.#options.now() ? item : undefined;
  }

  #expiry(ttl: number | undefined): number {
    if (ttl === undefined) throw new Refusal('invalid_request', HEADERS.ttl);
    return this.#options.now() + ttl * 1000;
  }

  /** The ref's node while it is up, else the first that is. */
  #homeOf({ index }: SessionRef): number {
    if (index !== null && index < this.#options.nodes && !this.down.has(index)) return index;
    for (let node = 0; node < this.#options.nodes; node += 1) if (!this.down.has(node)) return node;
    throw new Refusal('nodes_unavailable');
  }
}

function checkNumbers({
  method,
  version,
  ifMatch,
  ifNoneMatch,
  minVersion,
  ttl,
  record,
}: BatchOperation): void {
  for (const number of [version, ifMatch, minVersion]) {
    if (number !== undefined && parseVersion(String(number)) === null) throw new Refusal('invalid_request');
  }
  if (ttl !== undefined && parseTtlSeconds(String(ttl)) === null) throw new Refusal('invalid_request');
  if (ttl === undefined && method !== 'GET') throw new Refusal('invalid_request', HEADERS.ttl);
  if (method !== 'PUT') return;
  if (version === undefined || record === undefined || record === '') throw new Refusal('invalid_request');
  if ((ifMatch === undefined) === (ifNoneMatch === undefined)) throw new Refusal('invalid_request');
  if (ifMatch !== undefined && version <= ifMatch) throw new Refusal('invalid_request', HEADERS.version);
}

interface PlainRequest {
  readonly method: string;
  readonly pathname: string;
  readonly headers: Headers;
  readonly body: string;
}

function operationOf({ method, pathname, headers, body }: PlainRequest): BatchOperation {
  const match = /^\/v1\/sessions\/([^/]+)(\/touch)?$/.exec(pathname);
  const ref = match?.[1];
  if (ref === undefined) throw new Refusal('no_route');
  const noneMatch = headers.get('if-none-match');
  return {
    method: methodOf(method, match?.[2] !== undefined),
    ref,
    ...numberHeader('version', headers.get(HEADERS.version)),
    ...numberHeader('minVersion', headers.get(HEADERS.minVersion)),
    ...numberHeader('ttl', headers.get(HEADERS.ttl)),
    ...numberHeader('ifMatch', etagNumber(headers.get('if-match'))),
    ...(noneMatch === '*'
      ? { ifNoneMatch: '*' as const }
      : numberHeader('ifNoneMatch', etagNumber(noneMatch))),
    ...(method === 'PUT' ? { record: body } : {}),
  };
}

function methodOf(method: string, isTouch: boolean): BatchOperation['method'] {
  if (method === 'POST' && isTouch) return 'TOUCH';
  if (!isTouch && (method === 'GET' || method === 'PUT' || method === 'DELETE')) return method;
  throw new Refusal('no_route');
}

function etagNumber(etag: string | null): string | null {
  return etag === null ? null : String(parseEtag(etag));
}

function numberHeader<K extends string>(name: K, text: string | null): Partial<Record<K, number>> {
  // A partial record of one known key.
  return text === null ? {} : ({ [name]: Number(text) } as Partial<Record<K, number>>);
}

function asResponse({ status, ref, version, copies, record }: BatchResult): Response {
  const headers = new Headers();
  if (version !== undefined) headers.set('etag', formatEtag(version));
  if (ref !== undefined) headers.set(HEADERS.ref, ref);
  if (copies !== undefined) headers.set(HEADERS.copies, String(copies));
  return new Response(record ?? null, { status, headers });
}

function refusalResponse({ code, message }: Refusal): Response {
  return Response.json({ error: { code, message } }, { status: ERRORS[code].status ?? 500 });
}
