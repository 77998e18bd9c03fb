/** Real HTTP servers with the (req, res) adapter, over a bridge in memory whose network the test owns. */
import { once } from 'node:events';
import { createServer, request as sendRequest, type IncomingMessage, type RequestListener } from 'node:http';
import type { Agent, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import {
  createNodeSessions,
  type NodeSessionOptions,
  type NodeSessions,
  type SessionRequest,
} from '../../packages/client/src/node.ts';
import { BRIDGE_SECRET, BRIDGE_URL, SECRET, type Data } from './client-instance.ts';
import { FaultyFetch } from './faulty-fetch.ts';
import { MemoryBridge } from './memory-bridge.ts';
import type { TestBrowser } from './test-browser.ts';

export class NodeStage {
  readonly bridge: MemoryBridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  readonly net: FaultyFetch = new FaultyFetch(this.bridge.fetch);
  /** What `onError` was told, by all instances. */
  readonly errors: unknown[] = [];

  /** An instance of its own; its cookies are Secure, whatever the address, unless the options say otherwise. */
  instance(options: NodeSessionOptions<Data> = {}): NodeSessions<Data> {
    return createNodeSessions<Data>({
      secret: SECRET,
      bridgeUrl: BRIDGE_URL,
      bridgeSecret: BRIDGE_SECRET,
      holder: {},
      fetch: this.net.fetch,
      cookie: { secure: true },
      onError: (error) => this.errors.push(error),
      ...options,
    });
  }

  /** The records that are stored, without tombstones. */
  get stored(): number {
    return [...this.bridge.items.values()].filter(({ record }) => record !== '').length;
  }
}

export interface RunningApp {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function listen(
  listener: (...args: Parameters<RequestListener>) => unknown,
): Promise<RunningApp> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is never a string or null while it listens.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export type Handler = (request: SessionRequest<Data>, response: ServerResponse) => unknown;

/** A handler behind the middleware, as plain node:http calls it. */
export function behind(sessions: NodeSessions<Data>, handle: Handler): RequestListener {
  const middleware = sessions.sessions();
  return (request, response) =>
    middleware(request, response, (error) => {
      if (error === undefined) {
        // The middleware has put the session there.
        handle(request as SessionRequest<Data>, response);
        return;
      }
      response.statusCode = error instanceof Error && 'status' in error ? Number(error.status) : 500;
      response.end('no session');
    });
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
}

/** One request of the browser, with its cookies, which takes those of the answer. */
export async function ask(browser: TestBrowser, url: string, options: Ask = {}): Promise<Answer> {
  const response = await askForHead(browser, url, options);
  return { ...headOf(response), body: await text(response) };
}

/** Resolves with the head; the body is still to come. */
export async function askForHead(
  browser: TestBrowser,
  url: string,
  { method = 'GET', headers = {}, agent }: Ask = {},
): Promise<IncomingMessage> {
  const cookie = browser.request().headers.get('cookie');
  const request = sendRequest(url, {
    method,
    headers: { ...headers, ...(cookie === null ? {} : { cookie }) },
    ...(agent === undefined ? {} : { agent }),
  });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  browser.take(headOf(response).headers);
  return response;
}

export function headOf({ statusCode = 0, rawHeaders }: IncomingMessage): Omit<Answer, 'body'> {
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  return { status: statusCode, headers };
}
