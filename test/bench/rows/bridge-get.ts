/** How many reads a second the bridge answers, beside what answers less, and beside others that answer as much. */
import { createMemjsNode } from '../../../packages/bridge/src/memjs-node.ts';
import { type Contender, startNginx, startScript, startWebdis, type ScriptOptions } from '../contenders.ts';
import { getScript } from '../loads.ts';
import { compare, type Line, notMeasured } from '../line.ts';
import { atLeast, type Contestant, type Goal, playRounds, type Samples, samplesOf } from '../measure.ts';
import type { Row } from '../row.ts';
import { makeRecord, type Runtime, Stack, startNode } from '../stack.ts';
import { NotHereError } from '../tools.ts';
import { loaded } from '../wrk.ts';

const SESSIONS = 1_000;
const BYTES = 1_024;

/** One that is compared with, or why it cannot be. */
interface Peer {
  readonly name: string;
  readonly contestant: Contestant | NotHereError;
  readonly stop: () => Promise<void>;
}

const keysScript = async (): Promise<string> => `
local i=0
request = function()
  i = i % ${SESSIONS} + 1
  return wrk.format("GET", "/" .. (prefix or "") .. "key-" .. i)
end
`;

async function peerOf(
  name: string,
  start: () => Promise<Contender>,
  script?: () => Promise<string>,
): Promise<Peer> {
  try {
    const { url, process, stop } = await start();
    return { name, contestant: loaded(name, process, { url, ...(script && { script }) }), stop };
  } catch (error) {
    if (!(error instanceof NotHereError)) throw error;
    return { name, contestant: error, stop: async () => {} };
  }
}

const script = (options: ScriptOptions) => (): Promise<Contender> => startScript(options);

async function startFilledWebdis(): Promise<Contender> {
  const webdis = await startWebdis();
  for (let each = 1; each <= SESSIONS; each += 1) {
    await fetch(`${webdis.url}SET/key-${each}`, { method: 'PUT', body: makeRecord(BYTES) });
  }
  return webdis;
}

/** A node that holds what the peers ask for. */
async function startFilledNode(): Promise<{ port: number; stop: () => Promise<void> }> {
  const { port, process } = await startNode();
  const node = createMemjsNode({ index: 0, host: '127.0.0.1', port });
  const item = { version: 1, value: Buffer.from(makeRecord(BYTES)), ttlSeconds: 86_400 };
  for (let each = 1; each <= SESSIONS; each += 1) {
    // nginx uses the path with its slash as the key, the others without.
    await node.add(`key-${each}`, item);
    await node.add(`/key-${each}`, item);
  }
  await node.close();
  return { port, stop: () => process.stop() };
}

async function measure(runtime: Runtime, rounds: number): Promise<Line[]> {
  await using stack = await Stack.start({ runtime });
  const sessions = await stack.seed(SESSIONS, BYTES);
  const { port: nodePort, stop: stopNode } = await startFilledNode();
  const ours = `bridge on ${runtime}`;
  const bridge = loaded(ours, stack.bridge, { url: stack.url, script: getScript(stack, sessions) });
  const peers = [
    await peerOf('bare Hono', script({ file: 'bare-hono.mjs', runtime })),
    await peerOf('bare node:http', script({ file: 'bare-http.mjs', runtime })),
    await peerOf(
      'node:http and bare memjs',
      script({ file: 'memjs-http.mjs', runtime, env: { NODE_PORT: `${nodePort}` } }),
      keysScript,
    ),
    await peerOf(
      'webdis, one thread',
      startFilledWebdis,
      async () => `local prefix="GET/"\n${await keysScript()}`,
    ),
    await peerOf('nginx memcached module', () => startNginx(nodePort), keysScript),
  ];
  try {
    const here = peers.flatMap(({ contestant }) => (contestant instanceof NotHereError ? [] : [contestant]));
    const samples = await playRounds([bridge, ...here], rounds);
    return peers.map((peer) => lineOf(ours, peer, samples));
  } finally {
    for (const { stop } of peers) await stop();
    await stopNode();
  }
}

const GOALS: Readonly<Record<string, Goal>> = {
  'bridge on node/bare Hono': atLeast(0.7),
  'bridge on bun/bare Hono': atLeast(0.7),
  'bridge on node/webdis, one thread': atLeast(0.6),
  'bridge on bun/webdis, one thread': atLeast(1),
};

function lineOf(ours: string, { name, contestant }: Peer, samples: Samples): Line {
  const what = `${ours}: GET of 1 KiB, one worker, 64 connections`;
  const goal = GOALS[`${ours}/${name}`];
  if (contestant instanceof NotHereError)
    return notMeasured(what, name, { why: contestant.message, ...(goal && { goal }) });
  return compare({
    what,
    against: name,
    unit: '/s',
    ours: samplesOf(samples, ours),
    theirs: samplesOf(samples, name),
    ...(goal && { goal }),
  });
}

export const bridgeGet: Row = {
  name: 'bridge-get',
  title: 'reads through the bridge on Node',
  measure: ({ rounds }) => measure('node', rounds),
};

export const bridgeGetBun: Row = {
  name: 'bridge-bun',
  title: 'reads through the bridge on Bun',
  measure: ({ rounds }) => measure('bun', rounds),
};
