/**
 * Runs the whole of memsession on this machine: nodes, bridge and two instances of the example app.
 *
 *   npm start                                  until Ctrl-C
 *   npm start -- --smoke                       plays the story of a failover by itself and stops
 *   npm start -- --ports 3100,3101 --bridge-port 4800
 */
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { buildAppWhenStale } from './app-build.ts';
import { act, findPart, isAction, serveControl } from './control.ts';
import { findFreePort, isPortFree } from './ports.ts';
import { playStory } from './smoke.ts';
import { Stack, type StackPorts } from './stack.ts';

const OPTIONS = {
  smoke: { type: 'boolean', default: false },
  ports: { type: 'string', default: '3000,3001' },
  'bridge-port': { type: 'string', default: '4780' },
  'bridge-admin-port': { type: 'string', default: '4781' },
  'node-ports': { type: 'string' },
  'control-port': { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const HELP = `npm start [-- FLAGS]

  --smoke                play the story of a failover without a browser, then stop with 0 or 1
  --ports A,B            the two instances of the app         (3000,3001)
  --bridge-port N        the bridge                           (4780)
  --bridge-admin-port N  the bridge's operator listener       (4781)
  --node-ports A,B,C     the three nodes                      (free ones)
  --control-port N       for stopping and starting parts      (a free one)`;

/** One signal to the whole group comes several times: each parent passes it on as well. */
const SAME_SIGNAL_MS = 300;
/** As a shell reports what Ctrl-C ended. */
const INTERRUPTED = 130;

type Flags = ReturnType<typeof readFlags>;

function readFlags() {
  return parseArgs({ options: OPTIONS }).values;
}

async function choosePorts(flags: Flags): Promise<StackPorts> {
  const nodes = flags['node-ports']?.split(',') ?? [
    await findFreePort(),
    await findFreePort(),
    await findFreePort(),
  ];
  const instances = flags.ports.split(',').map(parsePort);
  if (instances.length !== 2 || instances[0] === instances[1])
    throw new TypeError(`--ports ${flags.ports}: give two different ports, e.g. --ports 3000,3001.`);
  return {
    instances,
    bridge: parsePort(flags['bridge-port']),
    bridgeAdmin: parsePort(flags['bridge-admin-port']),
    nodes: nodes.map(parsePort),
    control: parsePort(flags['control-port'] ?? (await findFreePort())),
  };
}

function parsePort(text: string | number): number {
  const port = Number(text);
  if (Number.isInteger(port) && port > 0 && port < 65_536) return port;
  throw new TypeError(`"${text}" is not a port: give whole numbers from 1 to 65535.`);
}

/** Every port that is taken, with the flag that changes it. */
async function findTakenPorts(ports: StackPorts): Promise<string[]> {
  const wanted: [number, string][] = [
    ...ports.instances.map((port): [number, string] => [port, '--ports']),
    [ports.bridge, '--bridge-port'],
    [ports.bridgeAdmin, '--bridge-admin-port'],
    ...ports.nodes.map((port): [number, string] => [port, '--node-ports']),
    [ports.control, '--control-port'],
  ];
  const problems: string[] = [];
  for (const [port, flag] of wanted) {
    if (!(await isPortFree(port)))
      problems.push(`Port ${port} is taken: choose another one with "npm start -- ${flag} …".`);
  }
  return problems;
}

async function startAll(stack: Stack): Promise<void> {
  if (!stack.hasMemcached)
    say('memcached is not installed, so the nodes are embedded ones (apt-get install memcached).');
  await Promise.all(stack.nodes.map((node) => node.start()));
  await stack.bridge.start();
  await Promise.all(stack.instances.map((instance) => instance.start()));
}

function printTable({ ports, hasMemcached, adminToken }: Stack): void {
  const kind = hasMemcached ? 'memcached' : 'embedded';
  const rows: [string, string][] = [
    ...ports.instances.map((port, i): [string, string] => [
      `app instance ${String.fromCodePoint(65 + i)}`,
      `http://localhost:${port}`,
    ]),
    ['bridge', `http://127.0.0.1:${ports.bridge}`],
    ['its dashboard', `http://127.0.0.1:${ports.bridgeAdmin}, token ${adminToken}`],
    ...ports.nodes.map((port, i): [string, string] => [`node ${i} (${kind})`, `127.0.0.1:${port}`]),
  ];
  const [first = 0, second = 0] = ports.instances;
  say(`
${rows.map(([name, address]) => `  ${name.padEnd(20)} ${address}`).join('\n')}

Try this:
  1. Open http://localhost:${first}, log in and put something into the cart.
  2. Type "stop instance A" here and go on at http://localhost:${second}: same session, nothing lost.
  3. Stop the node that the page names as home ("stop node 0") and reload: another index, the same data.
  4. Look at the dashboard while you do so.

Commands: stop, start, freeze, thaw  +  node 0-2, instance A-B, bridge.   Ctrl-C ends everything.
`);
}

async function obey(stack: Stack, line: string): Promise<void> {
  const [action = '', kind = '', which = ''] = line.trim().split(/\s+/);
  if (action === '') return;
  const part = findPart(stack, kind, which);
  if (part === null || !isAction(action)) {
    say('Say "stop", "start", "freeze" or "thaw", then "node 0", "instance A" or "bridge".');
    return;
  }
  say(await act(stack, part, action));
}

function readCommands(stack: Stack): void {
  createInterface({ input: process.stdin }).on('line', (line) => {
    obey(stack, line).catch((error: unknown) => say(error instanceof Error ? error.message : String(error)));
  });
}

function say(text: string): void {
  console.log(text);
}

/** Resolves at the first signal, which stops all in order; a second one ends all at once. */
async function untilInterrupted(): Promise<void> {
  let firstAt: number | null = null;
  await new Promise<void>((resolve) => {
    const hear = (): void => {
      // Not the default action of a signal: it would skip the exit hook that ends the other processes.
      if (firstAt !== null && performance.now() - firstAt > SAME_SIGNAL_MS) process.exit(INTERRUPTED);
      firstAt ??= performance.now();
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, hear);
  });
}

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags.help) {
    say(HELP);
    return 0;
  }
  const ports = await choosePorts(flags);
  const problems = await findTakenPorts(ports);
  if (problems.length > 0) {
    say(problems.join('\n'));
    return 1;
  }
  const failure = buildAppWhenStale(() => say('Building the example app (once, about half a minute) …'));
  if (failure !== null) {
    say(`The example app could not be built.\n${failure}`);
    return 1;
  }
  const stack = new Stack(ports);
  const control = await serveControl(stack);
  try {
    say('Starting three nodes, the bridge and two instances …');
    const interrupted = untilInterrupted();
    await Promise.race([startAll(stack), interrupted]);
    if (flags.smoke) {
      const story = playStory(stack, say).then((isGood) => (isGood ? 0 : 1));
      return await Promise.race([story, interrupted.then(() => INTERRUPTED)]);
    }
    printTable(stack);
    readCommands(stack);
    await interrupted;
    say('Stopping …');
    return 0;
  } finally {
    control.close();
    await stack.stop();
  }
}

try {
  process.exit(await main());
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
