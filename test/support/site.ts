/** An app in two real instances behind a balancer, with a real bridge and real memcached nodes. */
import { after } from 'node:test';
import { act, serveControl } from '../../examples/start/control.ts';
import { findFreePort } from '../../examples/start/ports.ts';
import { Stack } from '../../examples/start/stack.ts';
import { RoundRobin } from './round-robin.ts';
import { requireProgram } from './install.ts';

// Children are killed when this process exits, but not when a signal ends it.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => process.exit(code));
}

export interface Site {
  readonly stack: Stack;
  readonly balancer: RoundRobin;
  /** What visitors open. */
  readonly url: string;
}

/** Starts the app in the folder; everything ends with the tests of the file. */
export async function startSite(folder: string, mode: 'start' | 'dev' = 'start'): Promise<Site> {
  requireProgram('memcached');
  const ports = [];
  while (ports.length < 8) ports.push(await findFreePort());
  const [bridge = 0, bridgeAdmin = 0, control = 0, ...rest] = ports;
  // Two development servers do not share a folder.
  const instances = rest.slice(3, mode === 'dev' ? 4 : 5);
  const stack = new Stack(
    { bridge, bridgeAdmin, control, nodes: rest.slice(0, 3), instances },
    { folder, mode },
  );
  const server = await serveControl(stack);
  after(async () => {
    server.close();
    await stack.stop();
  });
  try {
    await Promise.all(stack.nodes.map((node) => node.start()));
    await stack.bridge.start();
    await Promise.all(stack.instances.map((instance) => instance.start()));
  } catch (error) {
    // What is thrown while a test file is being loaded runs no `after`.
    await stack.stop();
    throw error;
  }
  const balancer = await RoundRobin.start(instances.map((_, index) => stack.instanceUrl(index)));
  after(() => balancer.stop());
  return { stack, balancer, url: balancer.url };
}

/** After a test that failed: what the processes have said. */
export function explain({ stack }: Site, context: object): void {
  // The context of a test that has ended knows how; the types of Node do not say so yet.
  if ('passed' in context && context.passed === true) return;
  for (const part of [stack.bridge, ...stack.instances]) {
    console.log([`${part.plan.name}:`, ...part.lastLines].join('\n  '));
  }
  for (const { text } of stack.events) console.log(`  ${text}`);
}

/** Starts whatever a test has stopped. */
export async function heal({ stack, balancer }: Site): Promise<void> {
  balancer.pinned = null;
  for (const part of [...stack.nodes, stack.bridge, ...stack.instances]) {
    if (part.isFrozen) await act(stack, part, 'thaw');
    if (!part.isRunning) await act(stack, part, 'start');
  }
}
