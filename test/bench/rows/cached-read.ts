/** How long a session takes that this instance holds, beside those who open a seal or a signature each time. */
import { getIronSession, sealData } from 'iron-session';
import { jwtVerify, SignJWT } from 'jose';
import { BRIDGE_SECRET, change, createInstance, type Data, visit } from '../../support/client-instance.ts';
import { MemoryBridge } from '../../support/memory-bridge.ts';
import { TestBrowser } from '../../support/test-browser.ts';
import { compare, type Line, state } from '../line.ts';
import { atLeast, atMost, type Contestant, playRounds, type Sample, samplesOf } from '../measure.ts';
import type { MeasureOptions, Row } from '../row.ts';

/** Calls of one contestant in one round: for a tenth of a second or so. */
const CALLS = { ours: 5_000, iron: 100, jose: 1_000 } as const;
/** Medians of many short rounds: a collection of garbage in one of them counts for one. */
const ROUNDS_EACH = 20;

const data: Data = {
  userId: '42',
  cart: ['apple', 'pear', 'quince'],
  views: 7,
  name: 'A visitor',
  theme: 'dark',
};
const password = 'a password of at least thirty-two characters';

async function makeOurs(): Promise<Contestant> {
  const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
  const instance = createInstance(bridge.fetch, { maxStale: Infinity });
  const browser = new TestBrowser();
  await change(instance, browser, (session) => Object.assign(session, data));
  await visit(instance, browser, () => undefined);
  return timed('ours', CALLS.ours, {
    prepare: () => browser.request(),
    call: (request) => instance.manager.getSession(request),
  });
}

async function makeIron(): Promise<Contestant> {
  const seal = await sealData(data, { password });
  return timed('iron-session', CALLS.iron, {
    prepare: () => new Request('https://app.example/', { headers: { cookie: `iron=${seal}` } }),
    call: (request) => getIronSession<Data>(request, new Response(), { password, cookieName: 'iron' }),
  });
}

/** A signed cookie, verified each time: the least that a session without a store can do. */
async function makeJose(): Promise<Contestant> {
  const key = await crypto.subtle.importKey(
    'raw',
    new TextEncoder().encode(password),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign', 'verify'],
  );
  const token = await new SignJWT({ data }).setProtectedHeader({ alg: 'HS256' }).sign(key);
  return timed('jose', CALLS.jose, {
    prepare: () => new Request('https://app.example/', { headers: { cookie: `jwt=${token}` } }),
    call: (request) => jwtVerify((request.headers.get('cookie') ?? '').slice('jwt='.length), key),
  });
}

/** Microseconds a call. The requests are made before, as a server would have them. */
function timed(
  name: string,
  calls: number,
  { prepare, call }: { prepare: () => Request; call: (request: Request) => Promise<unknown> },
): Contestant {
  const run = async (): Promise<Sample> => {
    const requests = Array.from({ length: calls }, prepare);
    const start = performance.now();
    for (const request of requests) await call(request);
    return { value: ((performance.now() - start) * 1_000) / calls, cpuMicros: null };
  };
  return { name, run };
}

async function measure({ rounds }: MeasureOptions): Promise<Line[]> {
  const contestants = [await makeOurs(), await makeIron(), await makeJose()];
  const samples = await playRounds(contestants, rounds * ROUNDS_EACH);
  const ours = samplesOf(samples, 'ours');
  const what = `cached getSession, ${JSON.stringify(data).length} bytes of data`;
  const common = { what, unit: 'µs', ours, ratio: 'theirs / ours' } as const;
  return [
    compare({
      ...common,
      against: 'iron-session getIronSession',
      theirs: samplesOf(samples, 'iron-session'),
      goal: atLeast(50),
    }),
    compare({ ...common, against: 'jose jwtVerify alone', theirs: samplesOf(samples, 'jose') }),
    state({ what, unit: 'µs', samples: ours, goal: atMost(10, ' µs') }),
  ];
}

export const cachedRead: Row = { name: 'cached-read', title: 'a session from memory', measure };
