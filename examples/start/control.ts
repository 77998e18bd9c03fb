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
  if (kind === 'node') return stack.nodes[Number(which)] ?? null;
  if (kind !== 'instance') return null;
  const letter = which.toUpperCase().codePointAt(0) ?? 0;
  const position = /^[A-Za-z]$/.test(which) ? letter - 65 : stack.ports.instances.indexOf(Number(which));
  return stack.instances[position] ?? null;
}

export function isAction(text: string): text is Action {
  return ACTIONS.some((action) => action === text);
}

/** Does it, and tells the stack's log. */
export async function act(stack: Stack, part: ManagedProcess, action: Action): Promise<void> {
  const { name } = part.plan;
  if (action === 'stop') {
    await part.kill();
    stack.tell(`${name} was killed`);
  } else if (action === 'start') {
    await part.start();
    stack.tell(`${name} was started${name.startsWith('node') ? ', empty' : ''}`);
  } else if (action === 'freeze') {
    part.freeze();
    stack.tell(`${name} was frozen: it hangs, with its connections open`);
  } else {
    part.thaw();
    stack.tell(`${name} goes on`);
  }
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
