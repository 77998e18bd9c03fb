/** A small API on loopback through which the page and the terminal stop and start parts of the stack. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { bearerAuth } from 'hono/bearer-auth';
import type { ManagedProcess } from './processes.ts';
import type { Stack } from './stack.ts';

/** What can be done to a part. `freeze` is SIGSTOP: it hangs, but its connections stay open. */
export type Action = 'stop' | 'start' | 'freeze' | 'thaw';

const ACTIONS: readonly Action[] = ['stop', 'start', 'freeze', 'thaw'];

/** Finds a part by its words, e.g. `node 0`, `instance 3001`, `instance B` or `bridge`. */
export function findPart(stack: Stack, kind: string, which: string): ManagedProcess | null {
  if (kind === 'bridge') return stack.bridge;
  if (kind === 'node') return /^\d+$/.test(which) ? (stack.nodes[Number(which)] ?? null) : null;
  if (kind !== 'instance') return null;
  const letter = which.toUpperCase().codePointAt(0) ?? 0;
  const position = /^[A-Za-z]$/.test(which) ? letter - 65 : stack.ports.instances.indexOf(Number(which));
  return stack.instances[position] ?? null;
}

export function isAction(text: string): text is Action {
  return ACTIONS.some((action) => action === text);
}

/** Does it and tells the stack's log; returns what came of it, in words. */
export async function act(stack: Stack, part: ManagedProcess, action: Action): Promise<string> {
  const refusal = whyNot(part, action);
  if (refusal !== null) return refusal;
  const { name } = part.plan;
  if (action === 'stop') {
    await part.kill();
    return stack.tell(`${name} was killed`);
  }
  if (action === 'start') {
    await part.start();
    return stack.tell(`${name} was started${name.startsWith('node') ? ', empty' : ''}`);
  }
  if (action === 'freeze') {
    part.freeze();
    return stack.tell(`${name} was frozen: it hangs, with its connections open`);
  }
  part.thaw();
  return stack.tell(`${name} goes on`);
}

/** Null when there is something to do. */
function whyNot({ plan, isRunning, isFrozen }: ManagedProcess, action: Action): string | null {
  if (action === 'start') return isRunning ? `${plan.name} runs already${isFrozen ? ', frozen' : ''}` : null;
  if (!isRunning) return `${plan.name} is not running`;
  if (action === 'freeze' && isFrozen) return `${plan.name} is frozen already`;
  return action === 'thaw' && !isFrozen ? `${plan.name} is not frozen` : null;
}

/** The state of all parts, as the page shows it. */
export function describeStack(stack: Stack): object {
  const describe = (part: ManagedProcess): object => ({
    name: part.plan.name,
    running: part.isRunning,
    frozen: part.isFrozen,
  });
  return {
    memcached: stack.hasMemcached,
    nodes: stack.nodes.map((node, index) => ({ index, ...describe(node) })),
    instances: stack.instances.map((instance, index) => ({
      letter: String.fromCodePoint(65 + index),
      url: stack.instanceUrl(index),
      ...describe(instance),
    })),
    bridge: describe(stack.bridge),
    events: stack.events,
  };
}

/** Serves `GET /state` and `POST /{node|instance|bridge}/{which}/{action}` with the stack's token. */
export async function serveControl(stack: Stack): Promise<Server> {
  const app = new Hono();
  app.use(bearerAuth({ token: stack.controlToken }));
  app.get('/state', (c) => c.json(describeStack(stack)));
  app.post('/:kind/:which/:action', async (c) => {
    const part = findPart(stack, c.req.param('kind'), c.req.param('which'));
    const action = c.req.param('action');
    if (part === null || !isAction(action)) return c.json({ error: 'There is no such part or action.' }, 404);
    // An instance that asks for its own end would otherwise never hear the answer.
    const work = act(stack, part, action);
    if (action !== 'stop' || !part.plan.name.startsWith('instance')) await work;
    return c.json(describeStack(stack));
  });
  // createAdaptorServer makes a plain HTTP/1.1 server unless it is given another createServer.
  const server = createAdaptorServer({ fetch: app.fetch }) as Server;
  server.listen(stack.ports.control, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
