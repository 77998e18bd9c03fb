/** What a session costs a Next.js handler, and what it costs to take turns between instances. */
import { startRedis } from '../contenders.ts';
import type { Contender } from '../contenders.ts';
import { compare, type Line, notMeasured } from '../line.ts';
import { atLeast, type Contestant, type Goal, playRounds, samplesOf } from '../measure.ts';
import { startExpressNext, startNext } from '../next-instances.ts';
import type { MeasureOptions, Row } from '../row.ts';
import { Stack } from '../stack.ts';
import { NotHereError } from '../tools.ts';
import { Visitors } from '../visitors.ts';
import { loaded } from '../wrk.ts';

const VISITORS = 32;
const WRITE_EVERY = 10;
const ROUND_MS = 2_000;
/**
 * Rounds that are not counted, twenty seconds for each contestant. V8 compiles what a visit runs only after thousands
 * of them: until then it takes up to twice as long, and longest where most code is its own.
 */
const WARM_UPS = 10;

const AHEAD: Goal = { text: '> 1', isMet: (value) => value > 1 };

async function measureRead({ rounds }: MeasureOptions): Promise<Line[]> {
  await using stack = await Stack.start({ core: 'rest' });
  const instance = await startNext(stack.url);
  try {
    const contestants = await readers(instance);
    const samples = await playRounds(contestants, rounds, { warmUps: WARM_UPS });
    const what = 'Next.js route handler that reads a cached session, 64 connections';
    const common = {
      unit: '/s',
      theirs: samplesOf(samples, 'plain'),
      against: 'the same handler without a session',
    };
    return [
      compare({ ...common, what, ours: samplesOf(samples, 'ours'), goal: atLeast(0.95) }),
      compare({
        ...common,
        what,
        ours: samplesOf(samples, 'ours'),
        theirs: samplesOf(samples, 'plain with cookies'),
        against: 'the same handler without a session, sent the same cookies',
        note: 'Next.js itself parses the cookies of every request to a handler, whether the handler looks at them or not.',
      }),
      compare({
        ...common,
        what: 'Next.js route handler that reads an iron-session, 64 connections',
        ours: samplesOf(samples, 'iron'),
      }),
    ];
  } finally {
    await instance.stop();
  }
}

/** The handlers, each sent the cookies of its session; the one without a session, none and ours. */
async function readers(instance: Contender): Promise<Contestant[]> {
  const urlOf = (kind: string): string => `${instance.url}/api/${kind}`;
  const [ours, iron] = [await cookieFor(urlOf('ours')), await cookieFor(urlOf('iron'))];
  const asked = (name: string, kind: string, cookie: string): Contestant => {
    const script = async (): Promise<string> =>
      cookie === '' ? '' : `wrk.headers["Cookie"] = ${JSON.stringify(cookie)}\n`;
    return loaded(name, instance.process, { url: urlOf(kind), script });
  };
  return [
    asked('plain', 'plain', ''),
    asked('plain with cookies', 'plain', ours),
    asked('ours', 'ours', ours),
    asked('iron', 'iron', iron),
  ];
}

/** A new session's cookies. */
async function cookieFor(url: string): Promise<string> {
  const visitors = new Visitors({ urls: [url], visitors: 1, writeEvery: 0, forMs: 0 });
  await visitors.signIn();
  visitors.close();
  return visitors.cookie;
}

/** Two instances that share a store, or nothing at all. */
interface Pair {
  readonly name: string;
  readonly path: string;
  readonly instances: readonly Contender[];
}

async function measureTurns({ rounds }: MeasureOptions): Promise<Line[]> {
  await using stack = await Stack.start({ core: 'rest' });
  const redis = await startRedis().catch(rethrowUnlessNotHere);
  const next = [await startNext(stack.url), await startNext(stack.url)];
  const express =
    redis instanceof NotHereError
      ? []
      : [await startExpressNext(redis.url), await startExpressNext(redis.url)];
  try {
    const pairs: Pair[] = [
      { name: 'ours', path: '/api/ours', instances: next },
      { name: 'iron-session', path: '/api/iron', instances: next },
      ...(express.length > 0 ? [{ name: 'express-session', path: '/api/express', instances: express }] : []),
    ];
    const contestants: Contestant[] = [];
    for (const pair of pairs) contestants.push(await visited(pair));
    const samples = await playRounds(contestants, rounds, { warmUps: WARM_UPS });
    const what = `Next.js, two instances in turn, one write in ${WRITE_EVERY}, ${VISITORS} visitors`;
    const common = { what, unit: '/s', ours: samplesOf(samples, 'ours'), goal: AHEAD };
    const against = 'express-session with Redis, custom server, Pages API';
    return [
      compare({ ...common, against: 'iron-session', theirs: samplesOf(samples, 'iron-session') }),
      redis instanceof NotHereError
        ? notMeasured(what, against, { goal: AHEAD, why: redis.message })
        : compare({ ...common, against, theirs: samplesOf(samples, 'express-session') }),
    ];
  } finally {
    for (const instance of [...next, ...express]) await instance.stop();
    if (!(redis instanceof NotHereError)) await redis.stop();
  }
}

/** Both instances on one core: the processor time is that of both. */
async function visited({ name, path, instances }: Pair): Promise<Contestant> {
  const urls = instances.map(({ url }) => url + path);
  const visitors = new Visitors({ urls, visitors: VISITORS, writeEvery: WRITE_EVERY, forMs: ROUND_MS });
  await visitors.signIn();
  const cpuMs = (): number =>
    instances.reduce((sum, { process }) => sum + (process.cpuMs() ?? Number.NaN), 0);
  const run: Contestant['run'] = async () => {
    const before = cpuMs();
    const { requests, perSecond } = await visitors.visit();
    const micros = ((cpuMs() - before) * 1_000) / requests;
    return { value: perSecond, cpuMicros: Number.isNaN(micros) ? null : micros };
  };
  return { name, run };
}

function rethrowUnlessNotHere(error: unknown): NotHereError {
  if (error instanceof NotHereError) return error;
  throw error;
}

export const nextRead: Row = {
  name: 'next-read',
  title: 'a Next.js handler with a session',
  measure: measureRead,
};

export const nextTurns: Row = {
  name: 'next-turns',
  title: 'two Next.js instances in turn',
  measure: measureTurns,
};
