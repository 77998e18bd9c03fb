/**
 * How long a cached session takes, next to iron-session, which opens a seal for every request.
 *
 *   node .dev/run.mjs test/bench/client-hit.ts
 *
 * Both are measured in turn, in the same process, so that what else runs here troubles both alike.
 */
import { getIronSession, sealData } from 'iron-session';
import { createInstance, type Data, visit, change, BRIDGE_SECRET } from '../support/client-instance.ts';
import { MemoryBridge } from '../support/memory-bridge.ts';
import { TestBrowser } from '../support/test-browser.ts';

const ROUNDS = 200;
const HITS_PER_ROUND = 200;
const SEALS_PER_ROUND = 10;

const data: Data = {
  userId: '42',
  cart: ['apple', 'pear', 'quince'],
  views: 7,
  name: 'A visitor',
  theme: 'dark',
};

const bridge = new MemoryBridge({ secrets: { default: [BRIDGE_SECRET] } });
const instance = createInstance(bridge.fetch, { maxStale: Infinity });
const browser = new TestBrowser();
await change(instance, browser, (session) => Object.assign(session, data));
await visit(instance, browser, () => undefined);

const password = 'a password of at least thirty-two characters';
const seal = await sealData(data, { password });
const ironRequest = (): Request =>
  new Request('https://app.example/', { headers: { cookie: `iron=${seal}` } });
const iron = { password, cookieName: 'iron' };

const hits: number[] = [];
const seals: number[] = [];
for (let round = 0; round < ROUNDS; round += 1) {
  hits.push(
    await measure(
      HITS_PER_ROUND,
      () => browser.request(),
      (request) => instance.manager.getSession(request),
    ),
  );
  seals.push(
    await measure(SEALS_PER_ROUND, ironRequest, (request) =>
      getIronSession<Data>(request, new Response(), iron),
    ),
  );
}
console.log(
  `data: ${JSON.stringify(data).length} bytes of JSON; medians of ${ROUNDS} rounds, microseconds a request`,
);
console.log(`memsession, cached  ${median(hits).toFixed(2)}`);
console.log(`iron-session        ${median(seals).toFixed(2)}`);

/** Microseconds for one call; the requests are made before. */
async function measure(
  count: number,
  makeRequest: () => Request,
  call: (request: Request) => Promise<unknown>,
): Promise<number> {
  const requests = Array.from({ length: count }, makeRequest);
  const start = performance.now();
  for (const request of requests) await call(request);
  return ((performance.now() - start) / count) * 1000;
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
