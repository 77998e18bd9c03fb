import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionError, SessionUnavailableError } from '../../packages/client/src/index.ts';
import { change, look, visit, type Instance } from '../support/client-instance.ts';
import { marksIn, Simulation } from '../support/simulation.ts';
import { TestBrowser } from '../support/test-browser.ts';

/** `SEEDS=10000 npm test -- client-histories` looks longer; `SEED=17` looks at one. */
const SEEDS = Number(process.env['SEEDS'] ?? 60);
const ONLY = process.env['SEED'];

function eachSeed(title: string, run: (simulation: Simulation) => Promise<void>): void {
  test(title, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      if (ONLY !== undefined && seed !== Number(ONLY)) continue;
      const simulation = new Simulation(seed);
      try {
        await simulation.clock.run(run(simulation));
      } catch (error) {
        throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
  });
}

/** What is known of the saves so far. */
interface Ledger {
  /** Marks of saves that were acknowledged. */
  readonly stored: Set<string>;
  /** Marks of saves whose outcome nobody knows. */
  readonly unknown: Set<string>;
  counted: number;
  maybeCounted: number;
}

async function save(instance: Instance, tab: TestBrowser, ledger: Ledger, mark: string): Promise<void> {
  try {
    await change(instance, tab, (session) => (session[mark] = 1));
    ledger.stored.add(mark);
  } catch (error) {
    assert.ok(error instanceof SessionError && error.retryable, String(error));
    ledger.unknown.add(mark);
  }
}

async function count(instance: Instance, tab: TestBrowser, ledger: Ledger): Promise<void> {
  try {
    await visit(instance, tab, (session) =>
      session.update((data) => {
        data.views = (data.views ?? 0) + 1;
      }),
    );
    ledger.counted += 1;
  } catch (error) {
    assert.ok(error instanceof SessionError && error.retryable, String(error));
    ledger.maybeCounted += 1;
  }
}

/** Reads, and checks that everything is there that was acknowledged before. */
async function read(
  instance: Instance,
  tab: TestBrowser,
  { seen, isFresh }: { seen: ReadonlySet<string>; isFresh: boolean },
): Promise<void> {
  const before = new Set(seen);
  const headers = new Headers();
  try {
    const session = await instance.manager.getSession(tab.request(), { headers, fresh: isFresh });
    tab.take(headers);
    assert.equal(session.userId, '42', 'the session is gone');
    assert.deepEqual(
      [...before].filter((mark) => !marksIn(session).has(mark)),
      [],
      'acknowledged saves are gone',
    );
  } catch (error) {
    if (!(error instanceof SessionUnavailableError)) throw error;
  }
}

eachSeed('through outages no acknowledged save is lost, and none is counted twice', async (simulation) => {
  const instances = [1, 2, 3].map(() =>
    simulation.instance({ fallback: 'none', maxStale: simulation.pick([0, 1, 5]) }),
  );
  const [first] = instances;
  assert.ok(first);
  const tab = new TestBrowser();
  await change(first, tab, (session) => (session.userId = '42'));
  const ledger: Ledger = { stored: new Set(), unknown: new Set(), counted: 0, maybeCounted: 0 };
  Object.assign(simulation.weather, { refuse: 0.1, lose: 0.1, hang: 0.03 });
  const run = async (name: number): Promise<void> => {
    const mine = tab.clone();
    const known = new Set<string>();
    for (let step = 0; step < 12; step += 1) {
      await simulation.clock.wait(simulation.random() * 50);
      const instance = simulation.pick(instances);
      const mark = `mark${name}x${step}`;
      const act = simulation.pick(['save', 'count', 'read', 'fresh']);
      if (act === 'save') await save(instance, mine, ledger, mark);
      if (ledger.stored.has(mark)) known.add(mark);
      if (act === 'count') await count(instance, mine, ledger);
      // A browser sees its own saves at once; a confirmed read sees everybody's.
      if (act === 'read') await read(instance, mine, { seen: known, isFresh: false });
      if (act === 'fresh') await read(instance, mine, { seen: ledger.stored, isFresh: true });
    }
  };
  await Promise.all([1, 2, 3, 4].map(run));
  Object.assign(simulation.weather, { refuse: 0, lose: 0, hang: 0 });
  const last = await simulation.instance().manager.getSession(tab.request(), { fresh: true });
  const there = marksIn(last);
  assert.deepEqual(
    [...ledger.stored].filter((mark) => !there.has(mark)),
    [],
  );
  assert.deepEqual(
    [...there].filter((mark) => !ledger.stored.has(mark) && !ledger.unknown.has(mark)),
    [],
  );
  const views = last.views ?? 0;
  assert.ok(views >= ledger.counted && views <= ledger.counted + ledger.maybeCounted, `${views} views`);
});

eachSeed('one browser’s saves ride through outages in its cookie, and all come home', async (simulation) => {
  const instances = [1, 2].map(() => simulation.instance());
  const [first] = instances;
  assert.ok(first);
  const tab = new TestBrowser();
  await change(first, tab, (session) => (session.userId = '42'));
  const marks = new Set<string>();
  let views = 0;
  for (let step = 0; step < 25; step += 1) {
    await simulation.clock.wait(simulation.random() * 3000);
    if (simulation.random() < 0.3) {
      const isBad = simulation.random() < 0.5;
      Object.assign(
        simulation.weather,
        isBad ? { refuse: 0.5, lose: 0.4, hang: 0.1 } : { refuse: 0, lose: 0, hang: 0 },
      );
    }
    const instance = simulation.pick(instances);
    const mark = `mark${step}`;
    try {
      await visit(instance, tab, async (session) => {
        assert.equal(session.userId, '42', 'the session is gone');
        assert.deepEqual(marksIn(session), marks);
        assert.equal(session.views ?? 0, views);
        session[mark] = 1;
        await session.save();
        marks.add(mark);
        session.views = views + 1;
        await session.save();
        views += 1;
      });
    } catch (error) {
      // The instance may hold too old a version to show: then it says so.
      if (!(error instanceof SessionUnavailableError)) throw error;
    }
  }
  Object.assign(simulation.weather, { refuse: 0, lose: 0, hang: 0 });
  await simulation.clock.wait(60_000);
  const last = await look(simulation.instance(), tab);
  assert.deepEqual(marksIn(last), marks);
  assert.equal(last.views ?? 0, views);
});
