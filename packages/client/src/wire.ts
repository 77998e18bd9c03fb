/** Operations as HTTP requests, and answers as checked values: nothing from the network is taken on trust. */
import { SessionError, SessionUnavailableError } from './errors.ts';
import {
  ERRORS,
  formatEtag,
  HEADERS,
  isErrorCode,
  parseEtag,
  parseRef,
  parseVersion,
  PATHS,
  type BatchOperation,
  type BatchResult,
  type ErrorCode,
} from './protocol.ts';

/** A request to a bridge, without its address and token. */
export interface WireRequest {
  readonly method: 'GET' | 'PUT' | 'POST' | 'DELETE';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** A checked answer to one operation. */
export interface Answer {
  readonly status: number;
  /** Home of the session, where the answer names it. */
  readonly index: number | null;
  readonly version: number | null;
  readonly copies: number | null;
  readonly record: string | null;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** One operation on its own path. */
export function requestOf(operation: BatchOperation): WireRequest {
  const path = `${PATHS.sessions}/${operation.ref}`;
  const headers: Record<string, string> = {};
  if (operation.ttl !== undefined) headers[HEADERS.ttl] = String(operation.ttl);
  if (operation.minVersion !== undefined) headers[HEADERS.minVersion] = String(operation.minVersion);
  if (operation.version !== undefined) headers[HEADERS.version] = String(operation.version);
  if (operation.ifMatch !== undefined) headers['if-match'] = formatEtag(operation.ifMatch);
  const { ifNoneMatch } = operation;
  if (ifNoneMatch !== undefined)
    headers['if-none-match'] = ifNoneMatch === '*' ? '*' : formatEtag(ifNoneMatch);
  switch (operation.method) {
    case 'PUT':
      headers['content-type'] = 'application/octet-stream';
      return { method: 'PUT', path, headers, body: operation.record ?? '' };
    case 'TOUCH':
      return { method: 'POST', path: `${path}/touch`, headers, body: null };
    case 'GET':
    case 'DELETE':
      return { method: operation.method, path, headers, body: null };
  }
}

/** Several operations as one request. */
export function batchRequestOf(operations: readonly BatchOperation[]): WireRequest {
  return { method: 'POST', path: PATHS.batch, headers: JSON_TYPE, body: JSON.stringify({ operations }) };
}

/** The answer to a single operation, unchecked, in the form that a batch has. */
export async function readSingle(response: Response, maxBytes: number): Promise<BatchResult> {
  const text = await readText(response, maxBytes);
  const { status, headers } = response;
  if (status >= 400 && status !== 412) return { status, error: readError(text) };
  const version = parseEtag(headers.get('etag') ?? '');
  const ref = headers.get(HEADERS.ref);
  const copies = headers.get(HEADERS.copies);
  return {
    status,
    ...(version === null ? {} : { version }),
    ...(ref === null ? {} : { ref }),
    ...(copies === null ? {} : { copies: Number(copies) }),
    ...(text === '' ? {} : { record: text }),
  };
}

/** The answers to a batch of `count` operations, unchecked. */
export async function readBatch(response: Response, count: number, maxBytes: number): Promise<BatchResult[]> {
  const text = await readText(response, maxBytes);
  if (response.status !== 200) throw failureOf(response.status, readError(text).code);
  const body = parseJson(text);
  const results: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'results') : null;
  if (!Array.isArray(results) || results.length !== count) throw invalid('It is no list of results.');
  return results.map(readResult);
}

function readResult(result: unknown): BatchResult {
  if (typeof result !== 'object' || result === null) throw invalid('A result is no object.');
  const { status, ref, version, copies, record, error } = result as Record<string, unknown>;
  if (typeof status !== 'number') throw invalid('A result has no status.');
  return {
    status,
    ...(typeof ref === 'string' ? { ref } : {}),
    ...(typeof version === 'number' ? { version } : {}),
    ...(typeof copies === 'number' ? { copies } : {}),
    ...(typeof record === 'string' ? { record } : {}),
    ...(error === undefined || error === null ? {} : { error: checkError({ error }) }),
  };
}

/** The statuses with which each method may succeed or certainly fail. */
const STATUSES: Readonly<Record<BatchOperation['method'], readonly number[]>> = {
  GET: [200, 304, 404, 410],
  PUT: [200, 201, 404, 410, 412],
  TOUCH: [204, 404, 410],
  DELETE: [204],
};

/**
 * Checks a result against its operation.
 * @throws SessionUnavailableError `invalid_response` or what the bridge could not do; SessionError when the
 *   operation itself was refused.
 */
export function checkResult(operation: BatchOperation, result: BatchResult): Answer {
  const { status } = result;
  const code = result.error?.code;
  if (!STATUSES[operation.method].includes(status)) throw failureOf(status, code);
  // Anybody can answer 404; only the bridge says that the session is absent, or gone.
  if (status === 404 && code !== 'session_not_found') throw invalid('A 404 that is not about the session.');
  if (status === 410 && code !== 'session_gone') throw invalid('A 410 that is not about the session.');
  const answer = { status, index: indexIn(operation, result), ...numbersIn(result) };
  const asked = operation.ifNoneMatch;
  if (status === 304 && (typeof asked !== 'number' || (answer.version ?? asked) !== asked)) {
    throw invalid('A 304 to another question.');
  }
  const isWritten = operation.method === 'PUT' && (status === 200 || status === 201);
  if (isWritten && answer.version !== operation.version) throw invalid('Another version was stored.');
  const isRecord = (operation.method === 'GET' && status === 200) || status === 412;
  if (isRecord && (answer.record === null || answer.version === null))
    throw invalid('The record is missing.');
  if ((isWritten || isRecord) && answer.index === null) throw invalid('The ref is missing.');
  return answer;
}

function indexIn(operation: BatchOperation, { ref }: BatchResult): number | null {
  if (ref === undefined) return null;
  const parsed = parseRef(ref);
  const asked = parseRef(operation.ref);
  if (parsed === null || asked === null || parsed.id !== asked.id) throw invalid('A ref of another session.');
  return parsed.index;
}

function numbersIn(result: BatchResult): Pick<Answer, 'version' | 'copies' | 'record'> {
  const { version, copies, record } = result;
  return {
    version: version === undefined ? null : parseVersion(String(version)),
    copies: copies !== undefined && Number.isInteger(copies) && copies >= 0 ? copies : null,
    record: record === undefined || record === '' ? null : record,
  };
}

/** What a refusal means: our own mistake is an error for good, everything else is "cannot know". */
function failureOf(status: number, code: ErrorCode | undefined): SessionError {
  if (code === undefined || ERRORS[code].status !== status) return invalid(`Its status is ${status}.`);
  if (code === 'invalid_request' || code === 'record_too_large')
    return new SessionError(code, undefined, { status });
  if (code === 'no_route' || code === 'version_conflict') return invalid(`Its code is ${code}.`);
  return new SessionUnavailableError(code, undefined, { status });
}

function invalid(detail: string): SessionUnavailableError {
  return new SessionUnavailableError('invalid_response', detail);
}

function readError(text: string): { code: ErrorCode; message: string } {
  return checkError(parseJson(text));
}

function checkError(body: unknown): { code: ErrorCode; message: string } {
  const error: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, 'error') : null;
  const code: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, 'code') : null;
  if (typeof code !== 'string' || !isErrorCode(code)) throw invalid('Its body is not the error of a bridge.');
  return { code, message: '' };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SessionUnavailableError('invalid_response', 'Its body is not JSON.', { cause });
  }
}

/** The body as text; one that is longer than `maxBytes` is given up. */
async function readText(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (let bytes = 0; ;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > maxBytes) {
      await reader.cancel();
      throw invalid(`Its body has more than ${maxBytes} bytes.`);
    }
    text += decoder.decode(value, { stream: true });
  }
}
