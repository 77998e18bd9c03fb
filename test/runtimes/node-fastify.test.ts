import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Session } from '../../packages/client/src/index.ts';
import type { SessionRequest } from '../../packages/client/src/node.ts';
import type { Data } from '../support/client-instance.ts';
import { ask, NodeStage } from '../support/node-app.ts';
import { TestBrowser } from '../support/test-browser.ts';

/** A server whose hook calls the middleware with the raw request and reply. */
async function startShop(stage: NodeStage): Promise<{ server: FastifyInstance; url: string }> {
  const server = fastify();
  const middleware = stage.instance().sessions();
  server.addHook('onRequest', (request, reply, done) => {
    // The middleware passes nothing but errors.
    middleware(request.raw, reply.raw, (error) => done(error as Error | undefined));
  });
  server.get('/', async (request, reply) => {
    const session = sessionOf(request);
    session.views = (session.views ?? 0) + 1;
    return reply.header('set-cookie', 'theme=dark').send({ views: session.views });
  });
  server.get('/stream', async (request, reply) => {
    sessionOf(request).cart = ['apple'];
    return reply.send(Readable.from(['one ', 'two']));
  });
  server.get('/raw', (request, reply) => {
    sessionOf(request).views = 7;
    reply.raw.end('raw');
  });
  server.get('/throw', async (request) => {
    sessionOf(request).views = 99;
    await Promise.resolve();
    throw new Error('broken');
  });
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  return { server, url };
}

function sessionOf(request: FastifyRequest): Session<Data> {
  // The middleware has put it there.
  return (request.raw as SessionRequest<Data>).session;
}

test('Fastify’s answers, streams and raw replies get their cookies, and another instance goes on', async (t) => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  for (const views of [1, 2]) {
    const { server, url } = await startShop(stage);
    t.after(() => server.close());
    assert.equal((await ask(browser, url)).body, `{"views":${views}}`);
    assert.deepEqual([...browser.cookies.keys()], ['theme', '__Host-session', '__Host-session-at']);
  }
  const { server, url } = await startShop(stage);
  t.after(() => server.close());
  assert.equal((await ask(browser, `${url}/stream`)).body, 'one two');
  assert.match(browser.at ?? '', /^\d\.3\./);
  assert.equal((await ask(browser, `${url}/raw`)).body, 'raw');
  assert.match(browser.at ?? '', /^\d\.4\./);
  assert.equal((await ask(browser, url)).body, '{"views":8}');
});

test('errors of Fastify’s handlers and of the session leave no answer hanging', async (t) => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const { server, url } = await startShop(stage);
  t.after(() => server.close());
  await ask(browser, url);
  assert.equal((await ask(browser, `${url}/throw`)).status, 500);
  const other = await startShop(stage);
  t.after(() => other.server.close());
  stage.net.set('refuse');
  assert.equal((await ask(browser, other.url)).status, 503);
});
