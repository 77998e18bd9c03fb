/** Plays "Changing secrets" of docs/operations.md, but for the operator's token, while people use the site. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type BridgeProcess, startBridgeProcess } from '../support/bridge-process.ts';
import {
  BRIDGE_SECRET,
  change,
  createInstance,
  type Instance,
  look,
  SECRET,
} from '../support/client-instance.ts';
import { type Login, type SaslMemcached, startSaslMemcached } from '../support/sasl.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { waitUntil } from '../support/wait.ts';

const OLD: Login = { username: 'bridge', password: 'the old password' };
const NEW: Login = { username: 'bridge-2', password: 'the new password' };
const NEXT_BRIDGE_SECRET = 'the next bridge secret of at least 32 bytes';
const NEXT_SECRET = 'the next session secret of at least 32 bytes';
const LIMIT_MS = 30_000;

let nodes: SaslMemcached[] = [];

before(async () => {
  nodes = await Promise.all(Array.from({ length: 3 }, () => startSaslMemcached(OLD)));
});
after(async () => {
  for (const node of nodes) await node[Symbol.asyncDispose]();
});

/** Two bridges on ports of their own, restarted one after the other with other settings. */
class Bridges implements AsyncDisposable {
  readonly #running: BridgeProcess[] = [];
  #env: Record<string, string> = {};

  get urls(): string[] {
    return this.#running.map(({ url }) => url);
  }

  async start(env: Record<string, string>): Promise<void> {
    this.#env = env;
    for (let i = 0; i < 2; i += 1) this.#running.push(await this.#startOne('0'));
  }

  async restartWith(env: Record<string, string>): Promise<void> {
    this.#env = { ...this.#env, ...env };
    for (const [index, old] of this.#running.entries()) {
      old.signal('SIGTERM');
      assert.equal(await old.ended, 0);
      this.#running[index] = await this.#startOne(new URL(old.url).port);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const bridge of this.#running) await bridge[Symbol.asyncDispose]();
  }

  #startOne(port: string): Promise<BridgeProcess> {
    return startBridgeProcess({
      nodes: nodes.map(({ memcached }) => memcached.port),
      // On a busy machine a healthy node may take longer than usual.
      env: { ...this.#env, PORT: port, NODE_TIMEOUT_MS: '5000', STOP_WAIT_MS: '300' },
    });
  }
}

/** People who come again and again, to any instance. */
class People {
  readonly failures: unknown[] = [];
  visits = 0;
  instances: readonly Instance[] = [];
  readonly #end: AbortController = new AbortController();
  #everyone: Promise<unknown> = Promise.resolve();

  start(count: number): void {
    this.#everyone = Promise.all(
      Array.from({ length: count }, (_, person) => this.#live(`person ${person}`)),
    );
  }

  /** Resolves when many more visits have been made. */
  async goOn(): Promise<void> {
    const enough = this.visits + 60;
    await waitUntil(() => this.visits >= enough || this.failures.length > 0, 'people come again', LIMIT_MS);
    assert.deepEqual(this.failures, []);
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#everyone;
  }

  async #live(name: string): Promise<void> {
    const browser = new TestBrowser();
    try {
      await change(this.#any(), browser, (session) => (session.userId = name));
      for (let views = 1; !this.#end.signal.aborted; views += 1) {
        await change(this.#any(), browser, (session) => (session.views = (session.views ?? 0) + 1));
        const seen = await look(this.#any(), browser);
        assert.deepEqual([seen.userId, seen.views], [name, views]);
        this.visits += 1;
        await sleep(10);
      }
    } catch (error) {
      this.failures.push(error);
    }
  }

  #any(): Instance {
    const instance = this.instances[Math.floor(Math.random() * this.instances.length)];
    return instance ?? assert.fail('there are instances');
  }
}

test('the secrets of nodes, bridges and apps are replaced as the page says, and nobody is logged out or told of an outage', async () => {
  await using bridges = new Bridges();
  await bridges.start({ MEMCACHED_USERNAME: OLD.username, MEMCACHED_PASSWORD: OLD.password, BRIDGE_SECRET });
  const told: string[] = [];
  const deploy = (secret: string | string[], bridgeSecret: string): Instance =>
    createInstance(fetch, {
      secret,
      bridgeSecret,
      bridgeUrl: bridges.urls,
      // Whoever saves into a cookie would not notice an outage.
      fallback: 'none',
      maxStale: 0,
      onEvent: ({ type }) => {
        if (['unavailable', 'fallback', 'rejected'].includes(type)) told.push(type);
      },
    });
  const people = new People();
  people.instances = [deploy(SECRET, BRIDGE_SECRET), deploy(SECRET, BRIDGE_SECRET)];
  /** Replaces one instance after the other, with people on both in between. */
  const roll = async (secret: string | string[], bridgeSecret: string): Promise<void> => {
    for (let index = 0; index < 2; index += 1) {
      people.instances = people.instances.with(index, deploy(secret, bridgeSecret));
      await people.goOn();
    }
  };
  people.start(6);
  try {
    await people.goOn();

    for (const node of nodes) node.allow([OLD, NEW]);
    await bridges.restartWith({ MEMCACHED_USERNAME: NEW.username, MEMCACHED_PASSWORD: NEW.password });
    for (const node of nodes) node.allow([NEW]);
    await people.goOn();

    await bridges.restartWith({ BRIDGE_SECRET: `${NEXT_BRIDGE_SECRET},${BRIDGE_SECRET}` });
    await people.goOn();
    await roll(SECRET, NEXT_BRIDGE_SECRET);
    await bridges.restartWith({ BRIDGE_SECRET: NEXT_BRIDGE_SECRET });
    await people.goOn();

    await roll([SECRET, NEXT_SECRET], NEXT_BRIDGE_SECRET);
    await roll([NEXT_SECRET, SECRET], NEXT_BRIDGE_SECRET);
    // Everybody has been here since, and holds nothing any more that the old one has made.
    await roll(NEXT_SECRET, NEXT_BRIDGE_SECRET);
  } finally {
    await people.stop();
  }
  assert.deepEqual(people.failures, []);
  assert.deepEqual(told, []);
});
