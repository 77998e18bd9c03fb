import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import compression from 'compression';
import express, { type ErrorRequestHandler, type Express } from 'express';
import type { Session } from '../../packages/client/src/index.ts';
import type { Data } from '../support/client-instance.ts';
import { ask, listen, NodeStage } from '../support/node-app.ts';
import { TestBrowser } from '../support/test-browser.ts';

declare module 'express-serve-static-core' {
  interface Request {
    session: Session<Data>;
  }
}

/** Counts visits at /; answers as JSON. */
function createShop(stage: NodeStage, before: (app: Express) => void = () => undefined): Express {
  const app = express();
  before(app);
  app.use(stage.instance().sessions());
  app.get('/', (request, response) => {
    request.session.views = (request.session.views ?? 0) + 1;
    response.json({ views: request.session.views });
  });
  return app;
}

test('a session goes on at another instance', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  for (const views of [1, 2, 3]) {
    await using app = await listen(createShop(stage));
    assert.equal((await ask(browser, app.url)).body, `{"views":${views}}`);
  }
});

test('a login keeps the cart under a new id, and is stored before the redirect leaves', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const shop = createShop(stage);
  shop.post('/login', async (request, response) => {
    request.session.userId = '42';
    await request.session.regenerate();
    response.redirect('/');
  });
  await using app = await listen(shop);
  await ask(browser, app.url);
  const anonymous = browser.who;
  const { status, headers } = await ask(browser, `${app.url}/login`, { method: 'POST' });
  assert.deepEqual([status, headers.get('location')], [302, '/']);
  assert.notEqual(browser.who, anonymous);
  assert.equal((await ask(browser, app.url)).body, '{"views":2}');
});

test('HEAD and a conditional GET, which Express answers with 304, keep counting', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const shop = createShop(stage);
  shop.get('/same', (request, response) => {
    request.session.views = (request.session.views ?? 0) + 1;
    response.send('always the same');
  });
  await using app = await listen(shop);
  const first = await ask(browser, `${app.url}/same`);
  const etag = first.headers.get('etag') ?? '';
  const again = await ask(browser, `${app.url}/same`, { headers: { 'if-none-match': etag } });
  assert.deepEqual([again.status, again.body], [304, '']);
  assert.match(browser.at ?? '', /^\d\.2\./);
  const head = await ask(browser, `${app.url}/same`, { method: 'HEAD' });
  assert.deepEqual([head.status, head.body, head.headers.get('etag')], [200, '', etag]);
  assert.equal((await ask(browser, app.url)).body, '{"views":4}');
});

test('files are sent whole, with and without a changed session', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'memsession-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const content = 'x'.repeat(300_000);
  writeFileSync(join(folder, 'page.txt'), content);
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const shop = createShop(stage);
  shop.use('/files', express.static(folder));
  shop.get('/counted', (request, response) => {
    request.session.views = (request.session.views ?? 0) + 1;
    response.sendFile(join(folder, 'page.txt'));
  });
  await using app = await listen(shop);
  for (const path of ['/files/page.txt', '/counted', '/files/page.txt', '/counted']) {
    assert.equal((await ask(browser, `${app.url}${path}`)).body, content);
  }
  const part = await ask(browser, `${app.url}/counted`, { headers: { range: 'bytes=0-9' } });
  assert.deepEqual([part.status, part.body], [206, content.slice(0, 10)]);
  assert.match(browser.at ?? '', /^\d\.3\./);
});

for (const place of ['before', 'behind'] as const) {
  test(`compressed answers come through with compression() ${place} sessions()`, async () => {
    const stage = new NodeStage();
    const browser = new TestBrowser();
    const shop = createShop(stage, (app) => {
      if (place === 'before') app.use(compression({ threshold: 0 }));
    });
    if (place === 'behind') shop.use(compression({ threshold: 0 }));
    const text = 'compress me '.repeat(1_000);
    shop.get('/text', (request, response) => {
      request.session.views = (request.session.views ?? 0) + 1;
      response.type('text').send(text);
    });
    await using app = await listen(shop);
    for (const version of [1, 2]) {
      const response = await fetch(`${app.url}/text`, {
        headers: { cookie: browser.request().headers.get('cookie') ?? '', 'accept-encoding': 'gzip' },
      });
      browser.take(response.headers);
      assert.equal(response.headers.get('content-encoding'), 'gzip');
      assert.equal(await response.text(), text);
      assert.match(browser.at ?? '', new RegExp(`^\\d\\.${version}\\.`));
    }
    stage.net.set('refuse');
    shop.get('/large', (request, response) => {
      request.session['text'] = 'x'.repeat(5_000);
      response.type('text').send(text);
    });
    const failed = await ask(browser, `${app.url}/large`, { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(failed.status, 503);
    assert.equal(stage.errors.length, 1);
  });
}

test('what a handler throws reaches Express’s error handler, whose answer is sent', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const shop = createShop(stage);
  shop.get('/throw', (request) => {
    request.session.userId = '42';
    throw new Error('broken');
  });
  shop.get('/reject', async () => {
    await Promise.resolve();
    throw new Error('broken');
  });
  shop.use(sayBroken);
  await using app = await listen(shop);
  for (const path of ['/throw', '/reject']) {
    const { status, body } = await ask(browser, `${app.url}${path}`);
    assert.deepEqual([status, body], [500, 'Error: broken']);
  }
});

test('a handler that throws after it has answered does not spoil the answer', async () => {
  const stage = new NodeStage();
  const seen: boolean[] = [];
  const shop = createShop(stage);
  shop.get('/late', (request, response) => {
    request.session.views = 1;
    response.send('answered');
    throw new Error('too late');
  });
  const skipWhenSent: ErrorRequestHandler = (_error, _request, response, _next) => {
    seen.push(response.headersSent);
  };
  shop.use(skipWhenSent);
  await using app = await listen(shop);
  const { status, body } = await ask(new TestBrowser(), `${app.url}/late`);
  assert.deepEqual([status, body], [200, 'answered']);
  assert.deepEqual(seen, [true]);
});

test('in an outage that hides the session Express answers 503, and no cookie changes', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(createShop(stage));
  await ask(browser, app.url);
  const before = new Map(browser.cookies);
  const shop = createShop(stage, (other) => other.set('env', 'test'));
  await using other = await listen(shop);
  stage.net.set('refuse');
  assert.equal((await ask(browser, other.url)).status, 503);
  assert.deepEqual(browser.cookies, before);
  stage.net.set(null);
  assert.equal((await ask(browser, other.url)).body, '{"views":2}');
});

test('after an answer that became an error the connection goes on', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const shop = createShop(stage);
  shop.get('/bad', (request, response) => {
    request.session['when'] = new Date();
    response.cookie('theme', 'dark').json({ isStored: true });
  });
  await using app = await listen(shop);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const bad = await ask(browser, `${app.url}/bad`, { agent });
  assert.deepEqual([bad.status, bad.body], [500, 'Internal Server Error']);
  assert.deepEqual(bad.headers.getSetCookie(), []);
  assert.equal((await ask(browser, app.url, { agent })).body, '{"views":1}');
  agent.destroy();
});

const sayBroken: ErrorRequestHandler = (error, _request, response, _next) => {
  response.status(500).send(String(error));
};
