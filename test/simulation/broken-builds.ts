/** Builds that are broken on purpose: each leaves out one thing that the promises need. */
import { Cluster } from '../../packages/bridge/src/cluster.ts';
import { Deaths } from '../../packages/bridge/src/deaths.ts';
import { Doubts } from '../../packages/bridge/src/doubts.ts';
import { Lookup } from '../../packages/bridge/src/lookup.ts';
import type { MemcachedNode, NewItem, StoreOutcome } from '../../packages/bridge/src/node.ts';
import { type SaveRequest, type SaveResult, SessionStore } from '../../packages/bridge/src/store.ts';
import type { Held } from '../../packages/client/src/cache.ts';
import { Holdings, type Wanted } from '../../packages/client/src/holdings.ts';
import type { RecordCodec } from '../../packages/client/src/ports.ts';
import { SessionSaver } from '../../packages/client/src/saver.ts';
import { SteadyClock } from '../../packages/client/src/steady-clock.ts';
import type { CheckName } from '../history/checker.ts';
import type { Mutation } from './mutation.ts';
import type { Plan, Severity } from './plan.ts';
import { cutOff, divided, givenUp, leftOut } from './set-plans.ts';
import { readRecord } from './stand-ins.ts';

export interface BrokenBuild {
  /** What is left out. */
  readonly name: string;
  /** One of these is what its seeds must break. */
  readonly breaks: readonly CheckName[];
  readonly mutation?: Mutation;
  /** Breaks classes; the returned function mends them. */
  readonly apply?: () => () => void;
  /** The case that plans must lead up to, where those drawn at random hardly ever meet it. */
  readonly severity?: Severity;
  /** Makes sure that what it protects from happens. */
  readonly change?: (plan: Plan) => Plan;
}

const LOSSES = ['durable', 'no lost update', 'no fork', 'monotonic'] as const;

export const BROKEN_BUILDS: readonly BrokenBuild[] = [
  { name: 'a plain set instead of compare-and-swap', breaks: LOSSES, mutation: { wrapNode: overwriting } },
  {
    name: 'an acknowledgement before anything is stored',
    breaks: LOSSES,
    apply: () =>
      patchSave(async (save, request) => {
        void save(request);
        return stored(request);
      }),
  },
  {
    name: 'a conflict that nobody is told of',
    breaks: LOSSES,
    apply: () =>
      patchSave(async (save, request) => {
        const result = await save(request);
        return result.kind === 'conflict' ? stored(request) : result;
      }),
  },
  { name: 'a logout that only deletes', breaks: ['ended'], mutation: { wrapNode: withoutTombstones } },
  {
    name: 'a cache that does not look at the version in the cookie',
    breaks: ['monotonic'],
    apply: () =>
      patch(
        Holdings.prototype,
        'trusted',
        (trusted) =>
          function (this: Holdings<object>, wanted): Held | null {
            const anyVersion: Pick<Wanted, 'id' | 'floor'> = { id: wanted.id, floor: 0 };
            return trusted.call(this, anyVersion);
          },
      ),
  },
  {
    name: 'a cache in which nothing grows old',
    breaks: [...LOSSES, 'ended'],
    apply: () => patch(SteadyClock.prototype, 'now', () => () => 0),
  },
  {
    name: 'no quorum',
    breaks: [...LOSSES, 'ended'],
    apply: () => patch(Lookup.prototype, 'isQuorum', () => () => true),
    change: divided,
  },
  {
    name: 'no grace: what does not answer counts as lost at once',
    breaks: [...LOSSES, 'ended'],
    apply: () => patch(Deaths.prototype, 'isLost', () => () => true),
  },
  {
    name: 'no suspect rule: a node that comes back with its memory is believed',
    breaks: [...LOSSES, 'ended'],
    severity: 'return',
    apply: () => patch(Cluster.prototype, 'isTrusted', () => () => true),
  },
  {
    name: 'no doubts: what a write passed over is believed',
    breaks: [...LOSSES, 'ended'],
    severity: 'return',
    apply: () => patch(Doubts.prototype, 'add', () => () => {}),
  },
  {
    name: 'a logout that is written to two nodes only',
    breaks: ['ended'],
    severity: 'lapse',
    apply: () => patchGetter(Lookup.prototype, 'copiesAndSpare', ({ copies }) => copies),
  },
  {
    name: 'no notes: a node that another bridge does without is believed',
    breaks: ['ended'],
    mutation: { wrapNode: withoutNotes },
    change: leftOut,
  },
  {
    name: 'a grace that runs while no node answers',
    breaks: LOSSES,
    apply: () => patch(Deaths.prototype, 'reached', () => () => {}),
    change: cutOff,
  },
  {
    name: 'a silence that is believed without asking again',
    breaks: LOSSES,
    apply: () => patch(Cluster.prototype, 'confirmLosses', () => async () => {}),
    change: givenUp,
  },
  {
    name: 'a new id that does not look at what was saved under the old one',
    breaks: ['no lost update'],
    apply: () => patch(SessionSaver.prototype, 'end', () => async () => ({ kind: 'ended' })),
  },
  {
    name: 'a retry without the version that it replaces',
    breaks: [...LOSSES, 'ended'],
    apply: () => {
      const seen = new Set<string>();
      return patchSave(async (save, request, store) => {
        const text = request.record.toString('latin1');
        const isRetry = seen.has(text);
        seen.add(text);
        if (!isRetry) return save(request);
        const stored = await store.read({ ...request, floor: null, ttlSeconds: null });
        return save({ ...request, base: stored.kind === 'found' ? stored.version : null });
      });
    },
  },
  {
    name: 'a retry that is not known again and is done twice',
    breaks: ['once'],
    mutation: { wrapRecords: withoutNonces },
  },
  {
    name: 'a record whose subject is not verified',
    breaks: ['isolated'],
    mutation: { wrapRecords: withoutSubject },
    change: (plan) => ({ ...plan, noise: { ...plan.noise, mixUp: 0.05 } }),
  },
];

/** Replaces a method by one made from it. */
function patch<T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): () => void {
  const original = target[name];
  target[name] = make(original);
  return () => {
    target[name] = original;
  };
}

function patchGetter<T extends object, K extends keyof T>(
  target: T,
  name: K,
  get: (of: T) => T[K],
): () => void {
  const original = Object.getOwnPropertyDescriptor(target, name);
  if (original === undefined) throw new TypeError(`there is no ${String(name)}`);
  Object.defineProperty(target, name, {
    ...original,
    get(this: T) {
      return get(this);
    },
  });
  return () => void Object.defineProperty(target, name, original);
}

type DoSave = (request: SaveRequest) => Promise<SaveResult>;

/** Replaces what the store does with a save; `save` does what it really does. */
function patchSave(
  replacement: (save: DoSave, request: SaveRequest, store: SessionStore) => Promise<SaveResult>,
): () => void {
  return patch(
    SessionStore.prototype,
    'save',
    (save) =>
      async function (this: SessionStore, request) {
        return replacement((each) => save.call(this, each), request, this);
      },
  );
}

function stored({ ref }: SaveRequest): SaveResult {
  return { kind: 'stored', home: ref.index ?? 0, copies: 2 };
}

function change(node: MemcachedNode, methods: Partial<MemcachedNode>): MemcachedNode {
  return new Proxy(node, {
    get: (target, property) => {
      const value: unknown = Reflect.get(property in methods ? methods : target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Nobody is told which nodes another bridge does without. */
function withoutNotes(node: MemcachedNode): MemcachedNode {
  return change(node, {
    gat: async (key, ...rest) => {
      const item = await node.gat(key, ...rest);
      return key === '_out' ? null : item;
    },
  });
}

/** As `set` would do it: whatever is there is replaced. */
function overwriting(node: MemcachedNode): MemcachedNode {
  const set = async (key: string, item: NewItem): Promise<StoreOutcome> => {
    for (;;) {
      const seen = await node.gets(key);
      const outcome = seen === null ? await node.add(key, item) : await node.cas(key, item, seen.cas);
      if (outcome.stored) return outcome;
    }
  };
  const isSession = (key: string): boolean => key.includes(':');
  return change(node, {
    add: (key, item) => (isSession(key) ? set(key, item) : node.add(key, item)),
    cas: (key, item, expected) => (isSession(key) ? set(key, item) : node.cas(key, item, expected)),
  });
}

function withoutTombstones(node: MemcachedNode): MemcachedNode {
  const remove = async (key: string): Promise<StoreOutcome> => {
    await node.delete(key);
    return { stored: true, cas: 0n };
  };
  return change(node, {
    add: (key, item, ms) => (item.value.length === 0 ? remove(key) : node.add(key, item, ms)),
    cas: (key, item, expected, ms) =>
      item.value.length === 0 ? remove(key) : node.cas(key, item, expected, ms),
  });
}

function withoutSubject({ sign, verify }: RecordCodec): RecordCodec {
  return {
    sign,
    verify: (text, expected) => verify(text, { ...expected, id: readRecord(text)?.sub ?? expected.id }),
  };
}

/** Nobody can tell which saves a record includes. */
function withoutNonces({ sign, verify }: RecordCodec): RecordCodec {
  return {
    sign,
    verify: async (text, expected) => {
      const verified = await verify(text, expected);
      return verified.ok ? { ok: true, record: { ...verified.record, nonce: '', log: [] } } : verified;
    },
  };
}
