/** A bridge with its listener over real nodes, and a bare client for it. */
import { pino } from 'pino';
import { type Config, parseConfig } from '../../packages/bridge/src/config.ts';
import { rank } from '../../packages/bridge/src/placement.ts';
import { type Service, startService } from '../../packages/bridge/src/service.ts';
import { BRIDGE_SECRET, makeToken } from './app.ts';
import { findLeaks, LogCheck } from './log-check.ts';

export interface RunningBridge extends Service {
  readonly client: BridgeClient;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Opens the operator's listener of test bridges that have one. */
export const ADMIN_TOKEN = 'an admin token of at least 32 bytes';

/**
 * Starts a bridge on a free port. `nodes`: ports on loopback, in the order of their indexes. All that it logs is
 * searched for ids, tokens and secrets; disposing of it rejects when there were any.
 */
export async function startBridge(
  nodes: readonly number[],
  overrides: Partial<Config> = {},
): Promise<RunningBridge> {
  const env = {
    MEMCACHED_NODES: nodes.map((port) => `127.0.0.1:${port}`).join(','),
    BRIDGE_SECRET,
    HOST: '127.0.0.1',
    PORT: '0',
    ADMIN_PORT: '0',
  };
  const parsed = parseConfig({ args: [], env, readFile: () => '' });
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  const log = new LogCheck([BRIDGE_SECRET, ADMIN_TOKEN]);
  const service = await startService({ ...parsed.config, ...overrides }, pino({ level: 'trace' }, log));
  const client = new BridgeClient(service.url, await makeToken());
  const { adminUrl } = service;
  return {
    ...service,
    client,
    [Symbol.asyncDispose]: async () => {
      if (adminUrl !== null) for (const text of await readAllNumbers(adminUrl)) log.write(`${text}\n`);
      await service.stop(100);
      log.assertClean();
    },
  };
}

/** Everything that a bridge shows its operator. */
export async function readAllNumbers(adminUrl: string): Promise<string[]> {
  const paths = ['/metrics', '/admin/overview', '/admin/nodes'];
  return Promise.all(
    paths.map(async (path) => {
      const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
      return (await fetch(adminUrl + path, { headers })).text();
    }),
  );
}

/** How many session operations a bridge has under way, as it tells its operator. */
export async function operationsUnderWay({ adminUrl }: Service): Promise<number> {
  if (adminUrl === null) throw new Error('Only a bridge with an admin token tells what is under way.');
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
  const text = await (await fetch(`${adminUrl}/metrics`, { headers })).text();
  return Number(/^memsession_operations_in_flight (\d+)$/m.exec(text)?.[1]);
}

/** What came back, and after how long. */
export interface Reply {
  readonly status: number;
  readonly version: number | null;
  /** Node index of the ref. */
  readonly home: number | null;
  readonly copies: number | null;
  readonly text: string;
  readonly headers: Headers;
  readonly tookMs: number;
}

/** Sends single requests; never retries. */
export class BridgeClient {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  get(ref: string, floor?: number): Promise<Reply> {
    return this.send('GET', ref, floor === undefined ? {} : { 'Session-Min-Version': `${floor}` });
  }

  /** `base` null creates. */
  put(
    ref: string,
    save: { version: number; base: number | null; text?: string; ttl?: number },
  ): Promise<Reply> {
    const { version, base, text = `record ${version}`, ttl = 86_400 } = save;
    const precondition: Record<string, string> =
      base === null ? { 'If-None-Match': '*' } : { 'If-Match': `"${base}"` };
    return this.send(
      'PUT',
      ref,
      { 'Session-Version': `${version}`, 'Session-TTL': `${ttl}`, ...precondition },
      text,
    );
  }

  delete(ref: string): Promise<Reply> {
    return this.send('DELETE', ref, { 'Session-TTL': '86400' });
  }

  touch(ref: string, ttl: number): Promise<Reply> {
    return this.send('POST', `${ref}/touch`, { 'Session-TTL': `${ttl}` });
  }

  async send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Reply> {
    const began = performance.now();
    const response = await fetch(`${this.#url}/v1/sessions/${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}`, ...headers },
      ...(body === undefined ? {} : { body }),
      signal: AbortSignal.timeout(10_000),
    });
    const text = await response.text();
    if (!response.ok && response.headers.get('content-type') === 'application/json')
      for (const leak of findLeaks(text, [this.#token])) throw new Error(`An error tells too much: ${leak}`);
    const number = (value: string | null | undefined): number | null =>
      value === null || value === undefined ? null : Number(value);
    return {
      status: response.status,
      version: number(response.headers.get('etag')?.replaceAll('"', '')),
      home: number(response.headers.get('session-ref')?.split('.')[1]),
      copies: number(response.headers.get('session-copies')),
      text,
      headers: response.headers,
      tookMs: performance.now() - began,
    };
  }
}

let ids = 0;

/** A new id; with `first`, one whose first nodes of `count` are these. */
export function makeId(first: readonly number[] = [], count = 3): string {
  const indexes = Array.from({ length: count }, (_, index) => index);
  for (;;) {
    ids += 1;
    const high = ((BigInt(ids) * 0x9e3779b97f4a7c15n) & 0xffffffffffffffffn).toString(16).padStart(16, '0');
    const id = `${high}${BigInt(Date.now()).toString(16).padStart(16, '0')}`.toUpperCase();
    const order = rank(id, indexes);
    if (first.every((index, position) => order[position] === index)) return id;
  }
}
