/** Rows in which instances and bridges end, stand still, are replaced, or have a wrong clock or new secrets. */
import { BRIDGE_SECRET } from '../support/app.ts';
import type { Arena, Row } from './arena.ts';
import { fallsOf, noOutage } from './demands.ts';
import { squat } from './fillers.ts';
import { SESSION_SECRET } from './stack.ts';

const killInstance: Row = {
  id: 'F1',
  title: 'An app instance is killed',
  fault: async (arena) => {
    for (let time = 0; time < 2; time += 1) {
      const instance = arena.random.pick(arena.stack.instances);
      arena.tell(`kill -9 ${instance.name}`);
      await instance.kill();
      await arena.goOn(0.5);
      arena.tell(`start ${instance.name}, it knows nobody`);
      await instance.start();
    }
    return async () => {};
  },
  demands: (seen) => {
    // Whoever was with it at that moment gets no answer; nobody else is told anything.
    const others = seen.operations.filter(({ error }) => error !== 'broken');
    return [noOutage({ ...seen, operations: others })];
  },
};

const killBridge: Row = {
  id: 'F2',
  title: 'A bridge is killed, then the last one',
  fault: async (arena) => {
    const { bridges } = arena.stack;
    const first = arena.pickBridge();
    arena.tell(`kill -9 bridge ${first}`);
    const from = arena.now();
    await arena.stack.bridge(first).kill();
    await arena.goOn(0.5);
    const alone = noOutage(arena.workload, from);
    arena.demand('with one bridge left nobody is told of an outage', alone.isHeld, alone.detail);
    arena.tell('kill -9 the last bridge');
    await Promise.all(bridges.map((bridge) => bridge.kill()));
    await arena.goOn(0.5);
    return async () => {
      arena.tell('start both bridges');
      await Promise.all(bridges.map((bridge) => bridge.start()));
    };
  },
};

const restartBridges: Row = {
  id: 'F3',
  title: 'The bridges are restarted in turn',
  fault: async (arena) => {
    const rounds = Math.max(1, Math.round(arena.faultMs / 4_000));
    for (let round = 0; round < rounds; round += 1) {
      for (const bridge of arena.stack.bridges) {
        arena.tell(`SIGTERM ${bridge.name}`);
        await bridge.stop();
        arena.tell(`start ${bridge.name}`);
        await bridge.start();
      }
    }
    return async () => {};
  },
  demands: (seen) => [noOutage(seen)],
};

const changeList: Row = {
  id: 'F12',
  title: 'A node is added, one is drained and removed',
  isAlone: true,
  leastMs: 4_000,
  fault: async (arena) => {
    const { stack } = arena;
    arena.tell('node 3 is added');
    await stack.addNode();
    await stack.publishNodes();
    await arena.goOn(0.25);
    arena.tell('node 0 is drained');
    await stack.setNode(0, 'draining');
    await arena.goOn(0.5);
    arena.tell('node 0 is removed and killed');
    await stack.setNode(0, 'removed');
    await arena.goOn(0.1);
    await stack.node(0).memcached.kill();
    await arena.goOn(0.15);
    return async () => {};
  },
  demands: (seen) => [noOutage(seen)],
};

const MINUTE_MS = 60_000;
/** Ten minutes are more than tokens live, a day is as long as an idle session. */
const SKEWS_MS = [10 * MINUTE_MS, 24 * 60 * MINUTE_MS];

const wrongClocks: Row = {
  id: 'F13',
  title: 'The clocks of two instances are 10 minutes wrong, then a day',
  isAlone: true,
  fault: async (arena) => {
    for (const skewMs of SKEWS_MS) {
      await setClocks(arena, [skewMs, -skewMs]);
      await arena.goOn(1 / SKEWS_MS.length);
    }
    return () => setClocks(arena, [0, 0]);
  },
};

/** Starts the first instances anew, with clocks that are ahead by so much. */
async function setClocks(arena: Arena, skewsMs: readonly number[]): Promise<void> {
  for (const [at, skewMs] of skewsMs.entries()) {
    const instance = arena.stack.instance(at);
    arena.tell(`${instance.name} is ${skewMs / MINUTE_MS} minutes ahead`);
    await instance.kill();
    await instance.start({ skewMs });
  }
}

const NEW_SESSION_SECRET = 'another-session-secret-for-chaos-0123456789';
const NEW_BRIDGE_SECRET = 'another-bridge-secret-for-chaos-0123456789';

const rotateSecrets: Row = {
  id: 'F15',
  title: 'All secrets are rotated',
  isAlone: true,
  fault: async (arena) => {
    const everywhere = async (text: string, change: Parameters<typeof configure>[1]): Promise<void> => {
      arena.tell(text);
      await configure(arena, change);
      await arena.goOn(0.15);
    };
    await everywhere('instances verify the new secret too', { secret: [SESSION_SECRET, NEW_SESSION_SECRET] });
    await everywhere('instances sign with the new secret', { secret: [NEW_SESSION_SECRET, SESSION_SECRET] });
    await restartAll(arena, 'bridges take both tokens', `${BRIDGE_SECRET},${NEW_BRIDGE_SECRET}`);
    await everywhere('instances use the new token', { bridgeSecret: NEW_BRIDGE_SECRET });
    await restartAll(arena, 'bridges take the new token only', NEW_BRIDGE_SECRET);
    await arena.workload.begin();
    await everywhere('instances forget the old secret', { secret: NEW_SESSION_SECRET });
    await arena.goOn(0.3);
    return async () => {};
  },
  demands: (seen) => [noOutage(seen)],
};

async function configure(
  { stack }: Arena,
  change: Partial<{ secret: string | readonly string[]; bridgeSecret: string }>,
): Promise<void> {
  for (const instance of stack.instances) await instance.configure(change);
}

async function restartAll(arena: Arena, text: string, secret: string): Promise<void> {
  arena.tell(text);
  for (const bridge of arena.stack.bridges) {
    await bridge.stop();
    await bridge.start({ env: { BRIDGE_SECRET: secret } });
  }
}

const stalledBridge: Row = {
  id: 'F24',
  title: 'A bridge stands still for two seconds',
  leastMs: 3_000,
  fault: async (arena) => {
    const index = arena.pickBridge();
    const bridge = arena.stack.bridge(index);
    arena.tell(`SIGSTOP ${bridge.name}`);
    bridge.freeze();
    await arena.goOn(2_000 / arena.faultMs);
    arena.tell(`SIGCONT ${bridge.name}`);
    bridge.thaw();
    await arena.goOn(1 - 2_000 / arena.faultMs);
    return async () => {};
  },
  demands: (seen) => {
    const falls = fallsOf(seen);
    const detail = falls.map(({ bridge, node, reason }) => `${bridge}→${node} ${reason}`).join(', ');
    return [{ what: 'no node is blamed', isHeld: falls.length === 0, detail }];
  },
};

/** The bridge keeps 128 for itself, and some for its nodes. */
const FEW_FILES = 190;

const fewFiles: Row = {
  id: 'F25',
  title: 'A bridge has few files, and crowds of clients',
  isAlone: true,
  prepare: async ({ stack }) => {
    const bridge = stack.bridge(0);
    await bridge.stop();
    await bridge.start({ below: ['sh', '-c', `ulimit -n ${FEW_FILES} && exec "$0" "$@"`] });
  },
  fault: async (arena) => {
    const bridge = arena.stack.bridge(0);
    arena.tell('300 connections to bridge 0');
    const leave = await squat(bridge.port, 300);
    await arena.goOn();
    return async () => {
      arena.tell('the 300 connections are closed');
      leave();
    };
  },
  demands: (seen) => [noOutage(seen)],
};

export const PROCESS_ROWS: readonly Row[] = [
  killInstance,
  killBridge,
  restartBridges,
  changeList,
  wrongClocks,
  rotateSecrets,
  stalledBridge,
  fewFiles,
];
