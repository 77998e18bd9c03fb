/** What the client promises together with a bridge; run against a bridge in memory and against the real one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  SessionError,
  SessionUnavailableError,
  type Fetch,
  type SessionOptions,
} from '../../packages/client/src/index.ts';
import {
  change,
  createInstance,
  look,
  TestClock,
  visit,
  type Data,
  type Instance,
} from '../support/client-instance.ts';
import { FaultyFetch } from '../support/faulty-fetch.ts';
import { TestBrowser } from '../support/test-browser.ts';

/** A bridge with three nodes or more whose failures the test decides. */
export interface BridgeUnderTest {
  readonly fetch: Fetch;
  /** All nodes lose their memory. */
  wipe(): void;
  stopNode(index: number): void;
  stopAllNodes(): void;
  /** Starts all nodes again, with their memory, and waits until the bridge uses them. */
  startNodes(): Promise<void>;
}

export function testClientWith(name: string, start: () => Promise<BridgeUnderTest>): void {
  const check = (title: string, run: (stage: Stage) => Promise<void>): void => {
    test(`${title} (${name})`, async () => run(new Stage(await start())));
  };
  checkReading(check);
  checkWriting(check);
  checkEnding(check);
  checkNodes(check);
  checkOutages(check);
}

type Check = (title: string, run: (stage: Stage) => Promise<void>) => void;

/** A bridge, a network that may fail, and as many instances as a test needs. */
class Stage {
  readonly bridge: BridgeUnderTest;
  readonly net: FaultyFetch;
  readonly browser = new TestBrowser();

  constructor(bridge: BridgeUnderTest) {
    this.bridge = bridge;
    this.net = new FaultyFetch(bridge.fetch);
  }

  instance(options: SessionOptions<Data> = {}): Instance {
    return createInstance(this.net.fetch, options);
  }
}

function checkReading(check: Check): void {
  check('what is saved on one instance is read on another', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.userId = '42'));
    assert.deepEqual(await look(other, stage.browser), { userId: '42' });
    assert.equal(other.told('takeover').length, 1);
  });

  check('nothing is stored, asked or set for a visitor without data', async (stage) => {
    const instance = stage.instance();
    await visit(instance, stage.browser, async (session) => {
      assert.equal(session.meta.isNew, true);
      await session.save();
    });
    assert.equal(stage.net.count, 0);
    assert.equal(stage.browser.cookies.size, 0);
  });

  check('a cached session costs no request until it has to be confirmed', async (stage) => {
    const clock = new TestClock();
    const instance = stage.instance({ clock });
    await change(instance, stage.browser, (session) => (session.views = 1));
    const before = stage.net.count;
    await look(instance, stage.browser);
    assert.equal(stage.net.count, before);
    clock.advance(6);
    await look(instance, stage.browser);
    assert.equal(stage.net.count, before + 1);
  });

  check('a write on one instance is seen by the very next request on the other', async (stage) => {
    const instances = [stage.instance({ maxStale: Infinity }), stage.instance({ maxStale: Infinity })];
    for (let turn = 0; turn < 20; turn += 1) {
      const instance = instances[turn % 2];
      assert.ok(instance);
      await change(instance, stage.browser, (session) => {
        assert.equal(session.views ?? 0, turn);
        session.views = turn + 1;
      });
    }
  });

  check('a fresh read sees what another browser tab has saved elsewhere', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.views = 1));
    const tab = stage.browser.clone();
    await change(other, tab, (session) => (session.views = 2));
    assert.deepEqual(await look(one, stage.browser), { views: 1 });
    const session = await one.manager.getSession(stage.browser.request(), { fresh: true });
    assert.equal(session.views, 2);
  });
}

function checkWriting(check: Check): void {
  check('parallel requests that change different fields both survive', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.userId = '42'));
    const [first, second] = await Promise.all([
      one.manager.getSession(stage.browser.request(), { headers: new Headers() }),
      other.manager.getSession(stage.browser.request(), { headers: new Headers() }),
    ]);
    first.cart = ['apple'];
    second.views = 7;
    await Promise.all([first.save(), second.save()]);
    const session = await one.manager.getSession(stage.browser.request(), { fresh: true });
    assert.deepEqual({ ...session }, { userId: '42', cart: ['apple'], views: 7 });
  });

  check('sixteen savers on four instances lose nothing', async (stage) => {
    const instances = [0, 1, 2, 3].map(() => stage.instance());
    const [first] = instances;
    assert.ok(first);
    await change(first, stage.browser, (session) => (session.views = 0));
    const savers = Array.from({ length: 16 }, async (_, i) => {
      const instance = instances[i % 4] ?? first;
      const session = await instance.manager.getSession(stage.browser.request(), { headers: new Headers() });
      session[`field${i}`] = i;
      await session.save();
      await session.update((data) => {
        data.views = (data.views ?? 0) + 1;
      });
    });
    await Promise.all(savers);
    const session = await first.manager.getSession(stage.browser.request(), { fresh: true });
    const expected = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`field${i}`, i]));
    assert.deepEqual({ ...session }, { views: 16, ...expected });
  });

  check('a save whose answer is lost is counted once', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.views = 1));
    const session = await one.manager.getSession(stage.browser.request(), { headers: new Headers() });
    stage.net.once('lose');
    const views = await session.update((data) => (data.views = (data.views ?? 0) + 1));
    assert.equal(views, 2);
    assert.equal(session.meta.version, 2);
    const seen = await other.manager.getSession(stage.browser.request());
    assert.equal(seen.views, 2);
  });

  check('a save whose answer is lost is known again below the saves of others', async (stage) => {
    const [one, other] = [stage.instance(), createInstance(stage.bridge.fetch)];
    await change(one, stage.browser, (session) => (session.views = 1));
    const tab = stage.browser.clone();
    const count = (data: Data): number => (data.views = (data.views ?? 0) + 1);
    const session = await one.manager.getSession(stage.browser.request(), { headers: new Headers() });
    stage.net.script(async (pass) => {
      await pass();
      await visit(other, tab, async (seen) => {
        await seen.reload();
        await seen.update(count);
        await seen.update(count);
      });
      throw new TypeError('fetch failed');
    });
    assert.equal(await session.update(count), 2);
    assert.equal(session.views, 4);
    assert.equal(session.meta.version, 4);
    const seen = await other.manager.getSession(stage.browser.request(), { fresh: true });
    assert.equal(seen.views, 4);
  });

  check('a save that changes nothing sends nothing', async (stage) => {
    const instance = stage.instance();
    await change(instance, stage.browser, (session) => (session.cart = ['apple']));
    const before = stage.net.count;
    const headers = new Headers();
    const session = await instance.manager.getSession(stage.browser.request(), { headers });
    session.cart = ['apple'];
    await session.save();
    await session.update((data) => (data.cart = ['apple']));
    assert.equal(stage.net.count, before);
    assert.deepEqual(headers.getSetCookie(), []);
    await change(instance, stage.browser, (session) => session.cart?.push('pear'));
    assert.equal(stage.net.count, before + 1);
    assert.deepEqual(await look(stage.instance(), stage.browser), { cart: ['apple', 'pear'] });
  });

  check('a deleted field stays deleted when another field is saved in parallel', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => Object.assign(session, { userId: '42', views: 1 }));
    const tab = stage.browser.clone();
    await look(other, tab);
    await change(one, stage.browser, (session) => delete session.userId);
    await change(other, tab, (session) => (session.views = 2));
    assert.deepEqual(await look(stage.instance(), stage.browser), { views: 2 });
  });
}

function checkEnding(check: Check): void {
  check('a destroyed session is gone everywhere, and no save brings it back', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.userId = '42'));
    const thief = stage.browser.clone();
    const late = await other.manager.getSession(thief.request(), { headers: new Headers() });
    await visit(one, stage.browser, (session) => session.destroy());
    assert.equal(stage.browser.cookies.size, 0);
    late.views = 99;
    await assert.rejects(late.save(), hasCode('session_destroyed'));
    assert.deepEqual({ ...late }, {});
    for (const instance of [one, other, stage.instance()]) assert.deepEqual(await look(instance, thief), {});
    assert.equal(thief.cookies.size, 2);
  });

  check('regenerate() keeps the data under an id that nobody knew, and ends the old one', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.cart = ['apple']));
    const attacker = stage.browser.clone();
    await visit(one, stage.browser, async (session) => {
      const { ref } = session.meta;
      session.userId = '42';
      await session.regenerate();
      assert.notEqual(session.meta.ref?.slice(0, 32), ref?.slice(0, 32));
      assert.equal(session.meta.version, 1);
    });
    assert.deepEqual(await look(other, stage.browser), { cart: ['apple'], userId: '42' });
    assert.deepEqual(await look(other, attacker), {});
    assert.deepEqual(await look(one, attacker), {});
  });

  check('what another tab saves while regenerate() runs goes along, or is refused', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    let taken = 0;
    for (let round = 1; round <= 20; round += 1) {
      await change(one, stage.browser, (session) => (session.views = round));
      const tab = stage.browser.clone();
      const [saved] = await Promise.allSettled([
        change(other, tab, (session) => (session['tab'] = round)),
        visit(one, stage.browser, (session) => session.regenerate()),
      ]);
      // Who comes when the old id has ended has no session, and begins one.
      const own = await look(stage.instance(), tab);
      const isLate = own['tab'] === round && own.views === undefined;
      const isTaken = saved.status === 'fulfilled' && !isLate;
      if (saved.status === 'rejected')
        assert.ok(hasCode('session_destroyed')(saved.reason), String(saved.reason));
      const session = await look(stage.instance(), stage.browser);
      assert.equal(session.views, round);
      assert.equal(session['tab'] === round, isTaken);
      if (isTaken) taken += 1;
    }
    assert.ok(taken > 0, 'some came in time');
  });

  check('an id that is sealed but not stored is never adopted', async (stage) => {
    const instance = stage.instance();
    await change(instance, stage.browser, (session) => (session.views = 1));
    const fixed = stage.browser.who;
    stage.bridge.wipe();
    const other = stage.instance();
    await change(other, stage.browser, (session) => (session.userId = '42'));
    assert.notEqual(stage.browser.who, fixed);
    assert.deepEqual(await look(stage.instance(), stage.browser), { userId: '42' });
  });
}

function checkNodes(check: Check): void {
  check(
    'when the home node dies the data stays, the index changes, and the browser is told',
    async (stage) => {
      const [one, other] = [stage.instance({ maxStale: 0 }), stage.instance()];
      await change(one, stage.browser, (session) => (session.userId = '42'));
      const who = stage.browser.who;
      const home = Number(stage.browser.at?.split('.')[0]);
      stage.bridge.stopNode(home);
      // The request that finds the node dead may still be answered under the old index.
      for (let visits = 0; visits < 2; visits += 1) {
        assert.deepEqual(await look(one, stage.browser), { userId: '42' });
      }
      assert.equal(stage.browser.who, who);
      assert.notEqual(Number(stage.browser.at?.split('.')[0]), home);
      assert.equal(one.told('relocate').length, 1);
      assert.deepEqual(await look(other, stage.browser), { userId: '42' });
    },
  );

  check('a save that finds the home node dead moves the session, and the browser is told', async (stage) => {
    const instance = stage.instance();
    await change(instance, stage.browser, (session) => (session.userId = '42'));
    const home = Number(stage.browser.at?.split('.')[0]);
    stage.bridge.stopNode(home);
    await change(instance, stage.browser, (session) => (session.views = 1));
    assert.notEqual(Number(stage.browser.at?.split('.')[0]), home);
    assert.equal(instance.told('relocate').length, 1);
    assert.deepEqual(await look(stage.instance(), stage.browser), { userId: '42', views: 1 });
  });

  check('what all nodes have lost is backed up again by the instance that holds it', async (stage) => {
    const [one, other] = [stage.instance({ maxStale: 0 }), stage.instance()];
    await change(one, stage.browser, (session) => (session.userId = '42'));
    stage.bridge.wipe();
    assert.deepEqual(await look(one, stage.browser), { userId: '42' });
    assert.deepEqual(one.told('restore'), [{ type: 'restore', version: 2, reason: 'absent' }]);
    assert.deepEqual(await look(other, stage.browser), { userId: '42' });
  });

  check('a save finds that all nodes have lost the session, and stores it whole', async (stage) => {
    const instance = stage.instance();
    await change(instance, stage.browser, (session) => (session.userId = '42'));
    stage.bridge.wipe();
    await change(instance, stage.browser, (session) => (session.views = 1));
    assert.deepEqual(await look(stage.instance(), stage.browser), { userId: '42', views: 1 });
  });
}

function checkOutages(check: Check): void {
  check('with all nodes gone the cached session is served, stale, and no cookie changes', async (stage) => {
    const clock = new TestClock();
    const instance = stage.instance({ clock });
    await change(instance, stage.browser, (session) => (session.userId = '42'));
    const before = new Map(stage.browser.cookies);
    stage.bridge.stopAllNodes();
    clock.advance(6);
    await visit(instance, stage.browser, (session) => {
      assert.equal(session.userId, '42');
      assert.equal(session.meta.stale, true);
    });
    assert.deepEqual(stage.browser.cookies, before);
    const fresh = instance.manager.getSession(stage.browser.request(), { fresh: true });
    await assert.rejects(fresh, SessionUnavailableError);
  });

  check(
    'with all nodes gone an instance without the session says so, and never "no session"',
    async (stage) => {
      await change(stage.instance(), stage.browser, (session) => (session.userId = '42'));
      const before = new Map(stage.browser.cookies);
      stage.bridge.stopAllNodes();
      await assert.rejects(look(stage.instance(), stage.browser), SessionUnavailableError);
      assert.deepEqual(stage.browser.cookies, before);
    },
  );

  check('saves ride in the cookie through an outage and come home with the first read', async (stage) => {
    const [one, other] = [stage.instance(), stage.instance()];
    await change(one, stage.browser, (session) => (session.userId = '42'));
    stage.bridge.stopAllNodes();
    await change(one, stage.browser, (session) => (session.cart = ['apple']));
    await change(other, stage.browser, (session) => session.cart?.push('pear'));
    await visit(stage.instance(), stage.browser, (session) => {
      assert.deepEqual({ ...session }, { userId: '42', cart: ['apple', 'pear'] });
      assert.equal(session.meta.source, 'cookie');
    });
    await stage.bridge.startNodes();
    assert.deepEqual(await look(other, stage.browser), { userId: '42', cart: ['apple', 'pear'] });
    assert.match(stage.browser.at ?? '', /^\d+\.3\.[^.]{8}$/);
    const seen = await visit(stage.instance(), stage.browser, (session) => session.meta);
    assert.equal(seen.version, 3);
  });

  check('a session that begins in an outage is stored when it is over', async (stage) => {
    stage.net.set('refuse');
    await change(stage.instance(), stage.browser, (session) => (session.userId = '42'));
    assert.match(stage.browser.at ?? '', /^-\.1\./);
    stage.net.set(null);
    assert.deepEqual(await look(stage.instance(), stage.browser), { userId: '42' });
    assert.match(stage.browser.at ?? '', /^\d\.1\.[^.]{8}$/);
  });

  check(
    'data that comes home never overwrites what others saved meanwhile, nor when it is replayed',
    async (stage) => {
      const [one, other] = [stage.instance(), stage.instance()];
      await change(one, stage.browser, (session) =>
        Object.assign(session, { userId: '42', views: 1, old: true }),
      );
      const tab = stage.browser.clone();
      stage.net.set('refuse');
      await change(one, stage.browser, (session) => {
        Object.assign(session, { views: 100, cart: ['apple'] });
        delete session['old'];
      });
      stage.net.set(null);
      const replay = stage.browser.clone();
      await change(other, tab, (session) => (session.views = 2));
      const home = { userId: '42', views: 2, cart: ['apple'] };
      assert.deepEqual(await look(stage.instance(), stage.browser), home);
      await change(stage.instance(), stage.browser, (session) => (session.cart = []));
      assert.deepEqual(await look(stage.instance(), replay), { ...home, cart: [] });
    },
  );

  check('a write that was carried out before the outage is not applied again after it', async (stage) => {
    const instance = stage.instance({ fallback: 'cookie' });
    await change(instance, stage.browser, (session) => (session.views = 1));
    stage.net.set('lose');
    await change(instance, stage.browser, (session) => (session.views = 2));
    assert.equal(instance.told('fallback').length, 1);
    await change(instance, stage.browser, (session) => (session.views = 3));
    stage.net.set(null);
    assert.deepEqual(await look(stage.instance(), stage.browser), { views: 3 });
  });

  check('a logout that could not be told is told with the next request', async (stage) => {
    const instance = stage.instance();
    await change(instance, stage.browser, (session) => (session.userId = '42'));
    const thief = stage.browser.clone();
    stage.net.set('refuse');
    await assert.rejects(
      visit(instance, stage.browser, (session) => session.destroy()),
      SessionUnavailableError,
    );
    assert.equal(stage.browser.cookies.size, 0);
    assert.deepEqual(await look(instance, thief), {});
    stage.net.set(null);
    await change(instance, new TestBrowser(), (session) => (session.views = 1));
    assert.deepEqual(await look(stage.instance(), thief), {});
  });

  check('a save that fits no cookie fails as unavailable, and the stored version stays', async (stage) => {
    const instance = stage.instance();
    await change(instance, stage.browser, (session) => (session.views = 1));
    stage.net.set('refuse');
    const large = change(instance, stage.browser, (session) => (session['text'] = 'x'.repeat(4000)));
    await assert.rejects(large, SessionUnavailableError);
    stage.net.set(null);
    assert.deepEqual(await look(stage.instance(), stage.browser), { views: 1 });
  });

  check('the second bridge answers within the deadline when the first refuses or hangs', async (stage) => {
    const instance = stage.instance({ bridgeUrl: ['http://bridge-a.test', 'http://bridge-b.test'] });
    stage.net.set('refuse', 'http://bridge-a');
    await change(instance, stage.browser, (session) => (session.views = 1));
    const second = stage.instance({
      bridgeUrl: ['http://bridge-a.test', 'http://bridge-b.test'],
      timeoutMs: 300,
    });
    stage.net.set('hang', 'http://bridge-a');
    assert.deepEqual(await look(second, stage.browser), { views: 1 });
  });
}

/** Whether it is a SessionError with this code. */
function hasCode(code: SessionError['code']): (error: unknown) => boolean {
  return (error) => error instanceof SessionError && error.code === code;
}
