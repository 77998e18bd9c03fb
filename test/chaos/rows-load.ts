/** Rows in which nothing fails but what the browsers do at once, and pairs of other rows. */
import type { Row } from './arena.ts';

const manyWriters: Row = {
  id: 'F16',
  title: 'Many requests write one session at once',
  load: {
    browsers: 8,
    perSecond: 100,
    tabs: 16,
    mix: { read: 15, save: 60, update: 24, destroy: 0.5, regenerate: 0.5 },
  },
  fault: async (arena) => {
    await arena.goOn();
    return async () => {};
  },
  demands: ({ events }) => [
    { what: 'there are conflicts', isHeld: (events['conflict'] ?? 0) > 0, detail: `${events['conflict']}` },
  ],
};

const twoTabs: Row = {
  id: 'F17',
  title: 'Tabs get a new id while others go on with the old one',
  load: { browsers: 40, tabs: 4, mix: { read: 45, save: 30, update: 5, destroy: 2, regenerate: 18 } },
  fault: async (arena) => {
    await arena.goOn();
    return async () => {};
  },
};

/** What all take, more than the nodes of this row take, and twice more than the client sends. */
const SIZES = [50_000, 500_000, 800_000, 2_000_000];
/** Over the nodes' limit, so that these have something to refuse. */
const MOST_BYTES = 900_000;

const largeSessions: Row = {
  id: 'F20',
  title: 'Sessions are too large',
  isAlone: true,
  flags: ['-I', '512k'],
  prepare: async ({ stack }) => {
    for (const instance of stack.instances) await instance.configure({ maxRecordBytes: MOST_BYTES });
    for (const bridge of stack.bridges) {
      await bridge.stop();
      await bridge.start({ env: { MAX_RECORD_BYTES: String(MOST_BYTES) } });
    }
  },
  fault: async (arena) => {
    for (const bytes of SIZES) {
      arena.tell(`ten sessions of ${bytes} bytes`);
      await arena.workload.saveLarge(10, bytes);
      await arena.goOn(1 / SIZES.length);
    }
    return async () => {};
  },
  demands: ({ operations }) => {
    const refused = operations.filter(({ error }) => error === 'record_too_large').length;
    return [{ what: 'three of four sizes are refused', isHeld: refused === 30, detail: `${refused} of 40` }];
  },
};

export const LOAD_ROWS: readonly Row[] = [manyWriters, twoTabs, largeSessions];

/** Two rows at once: one about nodes or their network, and one about processes, so that the promises still hold. */
export function combine(id: string, one: Row, other: Row): Row {
  return {
    id,
    title: `${one.id} and ${other.id} at once`,
    isAlone: true,
    leastMs: Math.max(one.leastMs ?? 0, other.leastMs ?? 0),
    fault: async (arena) => {
      const heals = await Promise.all([one.fault(arena), other.fault(arena)]);
      return async () => {
        for (const heal of heals) await heal();
      };
    },
  };
}
