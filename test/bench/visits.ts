/**
 * What each kind of visit costs the client, by processor time: where two instances take turns with a session, and
 * beside a bare fetch(), which is the least that a request to a bridge can cost.
 *
 *   node .dev/run.mjs test/bench/visits.ts [OTHER_CLONE] [--visits 4000]
 *
 * Visit by visit in turn, so that medians hold on a machine that has other work. With another clone, its client
 * takes turns with that of this one.
 */
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Session } from '../../packages/client/src/index.ts';
import { PATHS } from '../../packages/client/src/protocol.ts';
import { BRIDGE_SECRET } from '../support/app.ts';
import { type Data, SECRET } from '../support/client-instance.ts';
import { TestBrowser } from '../support/test-browser.ts';
import { quantile } from './measure.ts';
import { makeRecord, Stack } from './stack.ts';

type Client = typeof import('../../packages/client/src/index.ts');
type Visit = () => Promise<unknown>;

const HERE = fileURLToPath(new URL('../..', import.meta.url));
const VISITS = 4_000;
/** Of the visits, the first share warms up. */
const WARM_UP = 0.5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { visits: { type: 'string', default: String(VISITS) } },
});
const [clone] = positionals;

const stack = await Stack.start({ core: 'rest' });
const kinds = new Map<string, Visit>([['bare fetch', bareFetch]]);
for (const [side, root] of [['before', clone] as const, ['after', HERE] as const]) {
  if (root !== undefined)
    for (const [kind, visit] of await visitsOf(root)) kinds.set(`${kind}, ${side}`, visit);
}
const micros = await measure(kinds, Number(values.visits));
console.log(`${'µs of processor time'.padEnd(40)}quarter   median`);
for (const [kind, all] of micros) {
  const sorted = all.slice(all.length * WARM_UP).toSorted((a, b) => a - b);
  const [quarter, median] = [quantile(sorted, 0.25), quantile(sorted, 0.5)];
  console.log(`${kind.padEnd(40)}${quarter.toFixed(0).padEnd(10)}${median.toFixed(0)}`);
}
await stack.stop();
process.exit(0);

/** The visits of one browser to two instances, in the order in which they follow each other. */
async function visitsOf(root: string): Promise<[string, Visit][]> {
  // The client of a clone is what it was when that was built, and has the same public surface.
  const client = (await import(join(root, 'packages/client/dist/index.js'))) as Client;
  const browser = new TestBrowser();
  const make = () =>
    client.createSessionManager<Data>({
      secret: SECRET,
      bridgeUrl: stack.url,
      bridgeSecret: BRIDGE_SECRET,
      holder: {},
    });
  const [first, second] = [make(), make()];
  const visit =
    (manager: typeof first, handle: (session: Session<Data>) => unknown): Visit =>
    async () => {
      const headers = new Headers();
      await handle(await manager.getSession(browser.request(), { headers }));
      browser.take(headers);
    };
  const write = visit(first, (session) => {
    session.views = (session.views ?? 0) + 1;
    return session.save();
  });
  const read = visit(second, () => undefined);
  return [
    ['write', write],
    ['read behind a write elsewhere', read],
    ['cached read', read],
  ];
}

/** As a save sends it: as many headers, and as much of a body. */
async function bareFetch(): Promise<void> {
  const headers = {
    authorization: `Bearer ${'x'.repeat(220)}`,
    'content-type': 'application/octet-stream',
    'if-match': '"1"',
    'session-ttl': '86400',
    'session-version': '2',
  };
  const init = {
    method: 'POST',
    headers,
    body: makeRecord(500),
    cache: 'no-store',
    redirect: 'manual',
  } as const;
  const response = await fetch(stack.url + PATHS.health, init);
  await response.text();
}

async function measure(visits: ReadonlyMap<string, Visit>, rounds: number): Promise<Map<string, number[]>> {
  const samples = new Map<string, number[]>([...visits.keys()].map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const [kind, visit] of visits) {
      const before = process.cpuUsage();
      await visit();
      // What the platform does behind an answer belongs to it.
      await turn();
      const { user, system } = process.cpuUsage(before);
      samples.get(kind)?.push(user + system);
    }
  }
  return samples;
}
