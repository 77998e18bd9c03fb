/** The data API over nodes in memory, reached without a socket. */
import { SignJWT } from 'jose';
import { pino } from 'pino';
import { createApp } from '../../packages/bridge/src/app.ts';
import type { Apps } from '../../packages/bridge/src/apps-file.ts';
import { Authenticator } from '../../packages/bridge/src/auth.ts';
import { type FakeBridge, type FakeSetup, setUpNodes } from './fake-bridge.ts';

export const BRIDGE_SECRET = 'a bridge secret of at least 32 bytes';

export interface TestApp extends FakeSetup {
  readonly one: FakeBridge;
  readonly authenticator: Authenticator;
  /** Sends a request as the app `shop`, unless the headers say otherwise. */
  send(
    method: string,
    path: string,
    options?: { headers?: Record<string, string>; body?: string | Uint8Array },
  ): Promise<Response>;
  /** A `fetch` that reaches the app whatever the origin. */
  readonly fetch: typeof fetch;
}

export async function setUpApp(
  options: { apps?: Apps; nodes?: number; maxRecordBytes?: number } = {},
): Promise<TestApp> {
  const setup = setUpNodes(options.nodes ?? 3);
  const one = await setup.bridge();
  const apps = options.apps ?? new Map([['*', { secrets: [BRIDGE_SECRET] }]]);
  const authenticator = new Authenticator({ apps, wallClock: Date.now });
  const app = createApp({
    store: one.store,
    cluster: one.cluster,
    authenticator,
    maxRecordBytes: options.maxRecordBytes ?? 524_288,
    whyNotReady: () => (one.cluster.hasAvailableNode ? null : 'no node can be used'),
    warnings: () => [],
    log: pino({ level: 'silent' }),
  });
  const authorization = `Bearer ${await makeToken({ app: 'shop' })}`;
  return {
    ...setup,
    one,
    authenticator,
    send: async (method, path, { headers = {}, body } = {}) =>
      app.request(path, {
        method,
        headers: { authorization, ...headers },
        ...(body === undefined ? {} : { body }),
      }),
    fetch: async (input, init) => app.request(new Request(input, init)),
  };
}

/** A token as a client makes it; each field can be made wrong. */
export async function makeToken(
  fields: {
    app?: string;
    secret?: string;
    audience?: string;
    scope?: string;
    lifeSeconds?: number;
    issuedAt?: number;
    algorithm?: string;
  } = {},
): Promise<string> {
  const {
    app = 'shop',
    secret = BRIDGE_SECRET,
    audience = 'memsession-bridge',
    scope = 'session',
    lifeSeconds = 300,
  } = fields;
  const issuedAt = fields.issuedAt ?? Math.floor(Date.now() / 1_000);
  return new SignJWT({ scope })
    .setProtectedHeader({ alg: fields.algorithm ?? 'HS256' })
    .setIssuer(app)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifeSeconds)
    .sign(new TextEncoder().encode(secret));
}
