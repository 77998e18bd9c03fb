/** Plays the story of a session that outlives its server and its node, as a visitor without a browser. */
import { isDeepStrictEqual } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { CookieJar } from './cookie-jar.ts';
import type { Stack } from './stack.ts';

/** What the example app says about a session (`GET /api/session`). */
interface Seen {
  readonly instance: string;
  readonly name: string | null;
  readonly cart: readonly string[];
  readonly home: number | null;
  readonly version: number;
  readonly source: string;
  readonly copies: number | null;
}

const PATIENCE_MS = 10_000;

/** Whether the story went as it must. Every step is told. */
export async function playStory(stack: Stack, tell: (text: string) => void): Promise<boolean> {
  const visitor = new Visitor(new CookieJar());
  try {
    for await (const step of story(stack, visitor)) tell(`  ✓ ${step}`);
    tell('The session outlived its server and its node.');
    return true;
  } catch (error) {
    tell(`  ✗ ${error instanceof Error ? error.message : String(error)}`);
    for (const { text } of stack.events) tell(`      ${text}`);
    return false;
  }
}

async function* story(stack: Stack, visitor: Visitor): AsyncGenerator<string> {
  const [first, second] = [stack.instanceUrl(0), stack.instanceUrl(1)];
  await visitor.post(`${first}/api/login`, { name: 'Ada' });
  await visitor.post(`${first}/api/cart`, { item: 'tea' });
  const before = await visitor.look(first);
  expect('what was put into the session', [before.name, before.cart], ['Ada', ['tea']]);
  yield `logged in on ${first}; home is node ${before.home}, version ${before.version}, ${before.copies} copies`;

  await stack.instances[0]?.kill();
  const moved = await visitor.look(second);
  expect(
    'the session on the other instance',
    [moved.name, moved.cart, moved.version],
    ['Ada', ['tea'], before.version],
  );
  yield `instance A was killed; ${second} took the session over (from the ${moved.source}), nothing lost`;

  await stack.nodes[before.home ?? 0]?.kill();
  const relocated = await visitor.lookUntil(second, (seen) => seen.home !== before.home);
  expect('the session after its home died', [relocated.name, relocated.cart], ['Ada', ['tea']]);
  expect('the index in the new cookie', Number(visitor.hint()), relocated.home);
  yield `node ${before.home} was killed; the session moved to node ${relocated.home}, new cookie, nothing lost`;

  await visitor.post(`${second}/api/cart`, { item: 'cake' });
  const saved = await visitor.look(second);
  expect('the cart after a save at the new home', saved.cart, ['tea', 'cake']);
  yield `saved again: version ${saved.version} on ${saved.copies} nodes`;

  const thief = new Visitor(visitor.jar.copy());
  await visitor.post(`${second}/api/logout`, {});
  expect('the session after logout', (await visitor.look(second)).name, null);
  expect('an old cookie after logout', (await thief.look(second)).name, null);
  yield 'logged out; the old cookie opens nothing any more';
}

function expect(what: string, actual: unknown, wanted: unknown): void {
  if (isDeepStrictEqual(actual, wanted)) return;
  throw new Error(`${what}: expected ${JSON.stringify(wanted)}, got ${JSON.stringify(actual)}`);
}

/** A browser without a window. */
class Visitor {
  readonly jar: CookieJar;

  constructor(jar: CookieJar) {
    this.jar = jar;
  }

  async post(url: string, body: object): Promise<void> {
    const headers = { 'Content-Type': 'application/json', Origin: new URL(url).origin };
    await this.#send(url, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  async look(instance: string): Promise<Seen> {
    const response = await this.#send(`${instance}/api/session`, {});
    // The shape is the example app's own; a wrong one fails the comparisons above.
    return (await response.json()) as Seen;
  }

  /** Looks again until something has happened; detecting a dead node may take some requests. */
  async lookUntil(instance: string, isDone: (seen: Seen) => boolean): Promise<Seen> {
    const giveUpAt = Date.now() + PATIENCE_MS;
    let seen = await this.look(instance);
    while (!isDone(seen) && Date.now() < giveUpAt) {
      await sleep(100);
      seen = await this.look(instance);
    }
    return seen;
  }

  /** The node index in the cookie that says where the session is. */
  hint(): string | undefined {
    const value = this.jar.get('session-at') ?? this.jar.get('__Host-session-at');
    return value?.split('.')[0];
  }

  async #send(url: string, init: RequestInit): Promise<Response> {
    const headers = { ...init.headers, Cookie: this.jar.header() };
    const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(PATIENCE_MS) });
    this.jar.store(response);
    if (!response.ok)
      throw new Error(`${url} answered ${response.status}: ${(await response.text()).slice(0, 200)}`);
    return response;
  }
}
