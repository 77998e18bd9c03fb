import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, request as sendRequest } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { SessionError } from '../../packages/client/src/index.ts';
import { ask, askForHead, behind, headOf, listen, NodeStage } from '../support/node-app.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

test('getSession(req, res) reads, save() sets the cookies, and another instance goes on', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  for (const views of [1, 2, 3]) {
    const { getSession } = stage.instance();
    await using app = await listen(async (request, response) => {
      const session = await getSession(request, response);
      assert.equal(await getSession(request, response), session);
      session.views = (session.views ?? 0) + 1;
      await session.save();
      response.end(`visit ${session.views}`);
    });
    const { body, headers } = await ask(browser, app.url);
    assert.equal(body, `visit ${views}`);
    assert.equal(headers.get('cache-control'), 'private, no-store');
    assert.match(browser.at ?? '', new RegExp(`^\\d\\.${views}\\.`));
  }
});

for (const [form, head] of [
  ['an object', () => ({ 'Set-Cookie': ['a=1', '__Host-session=old'], 'Cache-Control': 'public' })],
  ['a list', () => ['Set-Cookie', 'a=1', 'Set-Cookie', '__Host-session=old', 'Cache-Control', 'public']],
] as const) {
  test(`cookies survive a writeHead() that brings headers of its own as ${form}`, async () => {
    const stage = new NodeStage();
    const { getSession } = stage.instance();
    await using app = await listen(async (request, response) => {
      const session = await getSession(request, response);
      session.views = 1;
      await session.save();
      session.views = 2;
      await session.save();
      response.writeHead(200, 'Fine', head());
      response.end();
    });
    const browser = new TestBrowser();
    const { headers } = await ask(browser, app.url);
    assert.deepEqual([...browser.cookies.keys()], ['a', '__Host-session', '__Host-session-at']);
    assert.equal(headers.getSetCookie().length, 3);
    assert.match(browser.at ?? '', /^\d\.2\./);
    assert.equal(headers.get('cache-control'), 'private, no-store');
  });
}

test('behind the middleware the session is at request.session and saved with the answer', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  for (const views of [1, 2]) {
    const sessions = stage.instance();
    await using app = await listen(
      behind(sessions, async (request, response) => {
        assert.equal(await sessions.getSession(request, response), request.session);
        request.session.views = (request.session.views ?? 0) + 1;
        response.end(`visit ${request.session.views}`);
        assert.equal(response.headersSent, true);
        assert.equal(response.writableEnded, true);
      }),
    );
    assert.equal((await ask(browser, app.url)).body, `visit ${views}`);
    assert.equal(stage.stored, 1);
  }
  assert.deepEqual(stage.errors, []);
});

test('a visitor without data costs nothing, and the answer leaves at once', async () => {
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance(), (_, response) => {
      response.write('at once');
      // Node's own flag: nothing was held back.
      assert.equal(Object.hasOwn(response, 'headersSent'), false);
      assert.equal(response.headersSent, true);
      response.end();
      assert.equal(response.writableFinished || response.writableEnded, true);
    }),
  );
  const { body, headers } = await ask(new TestBrowser(), app.url);
  assert.equal(body, 'at once');
  assert.deepEqual(headers.getSetCookie(), []);
  assert.equal(stage.net.count, 0);
});

test('the first byte waits until the change is acknowledged, and not longer', async () => {
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session.views = 1;
      response.writeHead(201, { 'x-own': 'kept' });
      response.write('begin ');
      setImmediate(() => response.end('end'));
    }),
  );
  stage.net.hold();
  const browser = new TestBrowser();
  let isAnswered = false;
  const answer = ask(browser, app.url).finally(() => (isAnswered = true));
  await waitUntil(() => stage.net.heldCount === 1, 'the save is under way');
  assert.equal(isAnswered, false);
  stage.net.release();
  const { status, headers, body } = await answer;
  assert.deepEqual([status, headers.get('x-own'), body], [201, 'kept', 'begin end']);
  assert.equal(browser.cookies.size, 2);
});

test('a session that is not changed holds no stream back, and a changed one only its beginning', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const stage = new NodeStage();
  const browser = new TestBrowser();
  let finish = (): void => undefined;
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      if (request.url === '/change') request.session.views = 1;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.flushHeaders();
      response.write('data: 1\n\n');
      finish = () => response.end('data: 2\n\n');
    }),
  );
  for (const path of ['/change', '/same']) {
    const response = await askForHead(browser, `${app.url}${path}`);
    const [chunk] = (await once(response, 'data')) as [Buffer];
    assert.equal(chunk.toString(), 'data: 1\n\n');
    finish();
    assert.equal(await text(response), 'data: 2\n\n');
  }
  assert.deepEqual([stage.net.count, warn.mock.callCount()], [1, 0]);
});

test('a long stream arrives whole, whether the session is changed or not', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const chunk = 'x'.repeat(16_384);
  await using app = await listen(
    behind(stage.instance(), async (request, response) => {
      if (request.url === '/change') request.session.views = (request.session.views ?? 0) + 1;
      await pipeline(Readable.from(Array.from({ length: 200 }, () => chunk)), response);
    }),
  );
  for (const path of ['/change', '/same', '/change']) {
    const { body } = await ask(browser, `${app.url}${path}`);
    assert.equal(body.length, 200 * chunk.length);
  }
  assert.match(browser.at ?? '', /^\d\.2\./);
});

test('a change after the head is stored before the end, with a warning that its cookie was late', async (t) => {
  const warn = t.mock.method(console, 'warn', () => undefined);
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const another = stage.instance({ maxStale: 0 });
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      if (request.url === '/login') request.session.userId = '42';
      else if (request.url === '/late') {
        response.write('begun');
        setImmediate(() => {
          request.session.views = 1;
          response.end(', done');
        });
        return;
      }
      response.end(JSON.stringify(request.session));
    }),
  );
  await ask(browser, `${app.url}/login`);
  assert.equal((await ask(browser, `${app.url}/late`)).body, 'begun, done');
  assert.deepEqual([stage.errors, warn.mock.callCount()], [[], 1]);
  await using other = await listen(
    behind(another, (request, response) => response.end(JSON.stringify(request.session))),
  );
  assert.equal((await ask(browser, other.url)).body, '{"userId":"42","views":1}');
});

test('a session that begins after the head is not stored, since nobody could find it again', async () => {
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      response.write('begun');
      request.session.views = 1;
      response.end(', done');
    }),
  );
  assert.equal((await ask(new TestBrowser(), app.url)).body, 'begun, done');
  assert.deepEqual(stage.errors.map(codeOf), ['cookies_sent']);
  assert.equal(stage.stored, 0);
});

test('behind a head that has left already the session can be read, and its answer is left alone', async (t) => {
  t.mock.method(console, 'warn', () => undefined);
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const app = behind(stage.instance(), (request, response) => {
    request.session.views = (request.session.views ?? 0) + 1;
    response.end(`visit ${request.session.views}`);
  });
  await using server = await listen((request, response) => {
    if (request.url === '/late') response.write('late ');
    app(request, response);
  });
  await ask(browser, server.url);
  assert.equal((await ask(browser, `${server.url}/late`)).body, 'late visit 2');
  assert.deepEqual(stage.errors, []);
  assert.equal((await ask(browser, server.url)).body, 'visit 3');
});

test('a save that nobody waited for is stored, and says that the cookie came too late', async () => {
  const stage = new NodeStage();
  const { getSession } = stage.instance();
  const late: Promise<unknown>[] = [];
  await using app = await listen(async (request, response) => {
    const session = await getSession(request, response);
    session.views = 1;
    late.push(session.save().catch(codeOf));
    response.end();
  });
  const { headers } = await ask(new TestBrowser(), app.url);
  assert.deepEqual(headers.getSetCookie(), []);
  assert.deepEqual(await Promise.all(late), ['cookies_sent']);
});

test('an answer whose session cannot be saved becomes a plain 503, without what the handler has set', async () => {
  const stage = new NodeStage();
  let finished = 0;
  const app = behind(stage.instance({ fallback: 'none' }), async (request, response) => {
    request.session.views = 1;
    response.setHeader('location', '/thanks');
    response.writeHead(302, { 'content-length': '5' });
    const written = new Promise<void>((resolve) => response.write('than', () => resolve()));
    if (!response.write('k')) await once(response, 'drain');
    await written;
    await new Promise<void>((resolve) => response.end(resolve));
    finished += 1;
  });
  await using server = await listen((request, response) => {
    response.setHeader('x-frame-options', 'DENY');
    app(request, response);
  });
  stage.net.set('refuse');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const { status, headers, body } = await ask(new TestBrowser(), server.url, { agent });
  assert.deepEqual([status, body], [503, 'Service Unavailable']);
  assert.equal(headers.get('x-frame-options'), 'DENY');
  assert.equal(headers.get('location'), null);
  assert.equal(headers.get('cache-control'), 'no-store');
  assert.deepEqual(headers.getSetCookie(), []);
  assert.deepEqual(stage.errors.map(codeOf), ['bridge_unavailable']);
  await waitUntil(() => finished === 1, 'the handler has come to its end');
  stage.net.set(null);
  assert.equal((await ask(new TestBrowser(), server.url, { agent })).status, 302);
  agent.destroy();
});

test('a stream whose session cannot be saved ends in an error, and its source is let go', async () => {
  const stage = new NodeStage();
  const piped: Promise<boolean>[] = [];
  await using app = await listen(
    behind(stage.instance({ fallback: 'none' }), (request, response) => {
      request.session.views = 1;
      const source = Readable.from(Array.from({ length: 50 }, () => 'x'.repeat(16_384)));
      const isLetGo = (): boolean => source.destroyed;
      piped.push(pipeline(source, response).then(isLetGo, isLetGo));
    }),
  );
  stage.net.set('refuse');
  const { status, body } = await ask(new TestBrowser(), app.url);
  assert.deepEqual([status, body], [503, 'Service Unavailable']);
  assert.deepEqual(await Promise.all(piped), [true]);
});

test('an error report that fails itself, at once or later, harms nobody, and loses no error', async (t) => {
  const told = t.mock.method(console, 'error', () => undefined);
  const stage = new NodeStage();
  const fail = (message: string): never => {
    throw new Error(message);
  };
  // As JavaScript gives it: a promise where nothing is awaited.
  const failLater = (): unknown => Promise.reject(new Error('no log either'));
  const defects: (() => unknown)[] = [() => fail('no log'), failLater];
  for (const onError of defects) {
    await using app = await listen(
      behind(stage.instance({ onError }), (request, response) => {
        request.session['when'] = new Date();
        response.end('stored');
      }),
    );
    assert.equal((await ask(new TestBrowser(), app.url)).status, 500);
  }
  // Whatever nobody has caught is heard of within a turn.
  await new Promise(setImmediate);
  assert.deepEqual(
    told.mock.calls.map(({ arguments: [, error] }) =>
      error instanceof SessionError ? error.code : error instanceof Error && error.message,
    ),
    ['data_not_serializable', 'no log', 'data_not_serializable', 'no log either'],
  );
});

test('data that cannot be stored becomes a plain 500', async () => {
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session['when'] = new Date();
      response.end('stored');
    }),
  );
  const { status, body } = await ask(new TestBrowser(), app.url);
  assert.deepEqual([status, body], [500, 'Internal Server Error']);
  assert.deepEqual(stage.errors.map(codeOf), ['data_not_serializable']);
});

test('what Node refuses to write while the session is saved becomes a plain 500', async () => {
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session.views = 1;
      response.statusCode = 9999;
      response.end('impossible');
    }),
  );
  const { status } = await ask(new TestBrowser(), app.url);
  assert.equal(status, 500);
  assert.equal(stage.errors.length, 1);
});

test('when nobody can know the session, next gets an error with status 503', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session.userId = '42';
      response.end('hello');
    }),
  );
  await ask(browser, app.url);
  await using other = await listen(behind(stage.instance(), (_, response) => response.end('hello')));
  const before = new Map(browser.cookies);
  for (const fault of ['refuse', 'html'] as const) {
    stage.net.set(fault);
    const { status, body } = await ask(browser, other.url);
    assert.deepEqual([status, body], [503, 'no session']);
  }
  assert.deepEqual(browser.cookies, before);
  stage.net.set(null);
  assert.equal((await ask(browser, other.url)).body, 'hello');
});

test('in an outage the answer carries the data in its cookie', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session.views = (request.session.views ?? 0) + 1;
      response.end(request.session.meta.source);
    }),
  );
  await ask(browser, app.url);
  stage.net.set('refuse');
  assert.equal((await ask(browser, app.url)).body, 'cache');
  assert.match(browser.at ?? '', /^\d\.2\.[^.]+\../);
  stage.net.set(null);
  assert.equal((await ask(browser, app.url)).body, 'bridge');
  assert.match(browser.at ?? '', /^\d\.3\.[^.]+$/);
  assert.deepEqual(stage.errors, []);
});

test('HEAD, 204 and 304 have no body and get their cookies', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session.views = (request.session.views ?? 0) + 1;
      response.statusCode = Number(request.url?.slice(1));
      response.end('body');
    }),
  );
  let version = 0;
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
    ['GET', 200],
  ] as const) {
    version += 1;
    const answer = await ask(browser, `${app.url}/${status}`, { method });
    assert.deepEqual([answer.status, answer.body], [status, version === 4 ? 'body' : '']);
    assert.match(browser.at ?? '', new RegExp(`^\\d\\.${version}\\.`));
  }
});

test('visitors who share one connection keep their own sessions', async () => {
  const stage = new NodeStage();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      sockets.add(request.socket);
      request.session.cart = [...(request.session.cart ?? []), String(request.url)];
      response.end(JSON.stringify(request.session.cart));
    }),
  );
  const [ann, bob] = [new TestBrowser(), new TestBrowser()];
  for (const turn of [1, 2, 3]) {
    const answers = await Promise.all([
      ask(ann, `${app.url}/a${turn}`, { agent }),
      ask(bob, `${app.url}/b${turn}`, { agent }),
    ]);
    assert.deepEqual(
      answers.map(({ body }) => JSON.parse(body) as unknown),
      ['a', 'b'].map((name) => Array.from({ length: turn }, (_, i) => `/${name}${i + 1}`)),
    );
  }
  assert.equal(sockets.size, 1);
  agent.destroy();
});

test('parallel requests of one visitor that change different fields both survive', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(
    behind(stage.instance(), (request, response) => {
      request.session[String(request.url).slice(1)] = true;
      response.end();
    }),
  );
  await ask(browser, `${app.url}/first`);
  await Promise.all(['one', 'two', 'three'].map((field) => ask(browser, `${app.url}/${field}`)));
  await using other = await listen(
    behind(stage.instance(), (request, response) => response.end(JSON.stringify(request.session))),
  );
  const { body } = await ask(browser, other.url);
  assert.deepEqual(JSON.parse(body), { first: true, one: true, two: true, three: true });
});

test('a client that leaves in the middle harms nobody, and what was to be saved is saved', async () => {
  const stage = new NodeStage();
  const gone: Promise<unknown>[] = [];
  await using app = await listen(
    behind(stage.instance(), async (request, response) => {
      if (request.url === '/leave') gone.push(once(response, 'close'));
      request.session.views = 1;
      response.write('begun');
      response.end('done');
    }),
  );
  stage.net.hold();
  const { port } = new URL(app.url);
  const request = sendRequest({ port, path: '/leave' });
  request.on('error', () => undefined);
  request.end();
  await waitUntil(() => stage.net.heldCount === 1, 'the save is under way');
  request.destroy();
  await waitUntil(() => gone.length === 1, 'the handler has begun');
  await Promise.all(gone);
  stage.net.release();
  await waitUntil(() => stage.stored === 1, 'the session is stored');
  assert.equal((await ask(new TestBrowser(), `${app.url}/stay`)).body, 'begundone');
  assert.deepEqual(stage.errors, []);
});

test('destroy() clears the cookies and regenerate() replaces them, also when nobody waits for destroy()', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(
    behind(stage.instance(), async ({ session, url }, response) => {
      if (url === '/login') {
        session.userId = '42';
        await session.regenerate();
      } else if (url === '/cart') session.cart = ['apple'];
      else if (url === '/logout') await session.destroy();
      else if (url === '/hasty') void session.destroy();
      response.end(JSON.stringify(session));
    }),
  );
  for (const way of ['/logout', '/hasty']) {
    await ask(browser, `${app.url}/cart`);
    const anonymous = browser.who;
    await ask(browser, `${app.url}/login`);
    assert.ok(browser.who !== undefined && browser.who !== anonymous);
    assert.equal((await ask(browser, app.url)).body, '{"cart":["apple"],"userId":"42"}');
    const thief = browser.clone();
    await ask(browser, `${app.url}${way}`);
    assert.equal(browser.cookies.size, 0);
    assert.equal((await ask(thief, app.url)).body, '{}');
  }
  assert.deepEqual(stage.errors, []);
});

test('cookies lose Secure only on plain localhost, and a proxy’s headers can only make them stricter', async (t) => {
  t.mock.method(console, 'warn', () => undefined);
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance({ cookie: {} }), (request, response) => {
      request.session.views = 1;
      response.end();
    }),
  );
  const isSecure = async (headers: Record<string, string>): Promise<boolean> => {
    const browser = new TestBrowser();
    const answer = await ask(browser, app.url, { headers });
    assert.equal(answer.headers.getSetCookie().length, 2);
    const secure = answer.headers.getSetCookie().filter((line) => /^__Host-.*; Secure/.test(line));
    return secure.length === 2;
  };
  assert.equal(await isSecure({}), false);
  assert.equal(await isSecure({ host: 'localhost:3000' }), false);
  assert.equal(await isSecure({ 'x-forwarded-proto': 'https' }), true);
  assert.equal(await isSecure({ 'x-forwarded-proto': 'https, http' }), true);
  assert.equal(await isSecure({ 'x-forwarded-host': 'app.example' }), true);
  assert.equal(await isSecure({ origin: 'https://app.example' }), true);
  assert.equal(await isSecure({ host: 'app.example' }), true);
  assert.equal(await isSecure({ host: 'app.example', 'x-forwarded-proto': 'http' }), true);
  assert.equal(await isSecure({ host: 'app.example', 'x-forwarded-host': 'localhost' }), true);
  assert.equal(await isSecure({ host: '[' }), true);
});

test('a request without a Host is answered', async () => {
  const stage = new NodeStage();
  await using app = await listen(
    behind(stage.instance({ cookie: {} }), (request, response) => {
      request.session.views = 1;
      response.end();
    }),
  );
  const socket = connect({ port: Number(new URL(app.url).port), host: '127.0.0.1' });
  socket.write('GET / HTTP/1.0\r\n\r\n');
  const answer = await text(socket);
  assert.match(answer, /^HTTP\/1\.1 200 OK/);
  assert.match(answer, /__Host-session=/);
});

test('a second middleware of the same sessions changes nothing, and `fresh` confirms the same object', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const sessions = stage.instance();
  const inner = behind(sessions, async (request, response) => {
    request.session.cart = ['apple'];
    assert.equal(await sessions.getSession(request, response, { fresh: true }), request.session);
    response.end(JSON.stringify(request.session));
  });
  await using app = await listen(
    behind(sessions, (request, response) => {
      request.session.views = 1;
      inner(request, response);
    }),
  );
  assert.equal((await ask(browser, app.url)).body, '{"views":1,"cart":["apple"]}');
  assert.equal(stage.net.count, 1);
  assert.equal((await ask(browser, app.url)).body, '{"views":1,"cart":["apple"]}');
  await using failing = await listen(
    behind(sessions, (request, response) => {
      request.session['when'] = new Date();
      behind(sessions, (_, answer) => answer.end())(request, response);
    }),
  );
  assert.equal((await ask(browser, failing.url)).status, 500);
  assert.deepEqual(stage.errors.map(codeOf), ['data_not_serializable']);
});

test('taking the last field away is a change', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  await using app = await listen(
    behind(stage.instance(), ({ session, url }, response) => {
      if (url === '/login') session.userId = '42';
      else delete session.userId;
      response.end();
    }),
  );
  await ask(browser, `${app.url}/login`);
  await ask(browser, `${app.url}/forget`);
  assert.match(browser.at ?? '', /^\d\.2\./);
  await using other = await listen(
    behind(stage.instance(), ({ session }, response) => response.end(JSON.stringify(session))),
  );
  assert.equal((await ask(browser, other.url)).body, '{}');
});

test('two middlewares with sessions of their own do not disturb each other', async () => {
  const stage = new NodeStage();
  const browser = new TestBrowser();
  const admin = stage.instance({ cookie: { name: 'admin', secure: true } });
  await using app = await listen(
    behind(admin, (request, response) => {
      request.session.userId = 'root';
      behind(stage.instance(), (inner, answer) => {
        inner.session.userId = '42';
        answer.write('both');
        answer.end();
      })(request, response);
    }),
  );
  const response = await askForHead(browser, app.url);
  assert.equal(await text(response), 'both');
  assert.equal(headOf(response).headers.getSetCookie().length, 4);
  assert.equal(stage.stored, 2);
});

function codeOf(error: unknown): string {
  return error instanceof SessionError ? error.code : String(error);
}
