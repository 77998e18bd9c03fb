/** What stands behind a program in another runtime: a packed bridge over embedded nodes, and a remote control. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { startEmbeddedNode, type EmbeddedNode } from '../../packages/bridge/src/embedded-node.ts';
import { BRIDGE_SECRET } from './app.ts';
import { type BridgeProcess, startBridgeProcess } from './bridge-process.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { waitUntil } from './wait.ts';

const NODES = 3;
const NODE_LIMIT_MS = 60_000;

export interface RuntimeStage extends AsyncDisposable {
  /** What programs find in their environment. */
  readonly env: Readonly<Record<'BRIDGE_URL' | 'BRIDGE_SECRET' | 'CONTROL_URL', string>>;
  /** `cut` and `join` the bridge, `stop/N` a node, `start` all nodes. */
  control(command: string): Promise<void>;
  /** Milliseconds that each answer of the bridge is held back. */
  delay(ms: number): void;
  /** From now on no answer of the bridge arrives, */
  hold(): void;
  /** until all of them do. */
  release(): void;
}

/** `main`: the bridge's program. */
export async function startRuntimeStage(main: string): Promise<RuntimeStage> {
  const nodes = await Promise.all(Array.from({ length: NODES }, () => startEmbeddedNode()));
  const bridge = await startBridgeProcess({
    nodes: nodes.map(({ port }) => port),
    main,
    // A slow machine is no dead node.
    env: { NODE_TIMEOUT_MS: '5000' },
  });
  const proxy = await startFaultProxy({ targetPort: Number(new URL(bridge.url).port) });
  const control = (command: string): Promise<void> => obey(command, { nodes, bridge, proxy });
  const server = createServer((request, response) => {
    control(request.url?.slice(1) ?? '').then(
      () => response.writeHead(204).end(),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is never a string or null while it listens.
  const { port } = server.address() as AddressInfo;
  return {
    env: {
      BRIDGE_URL: `http://127.0.0.1:${proxy.port}`,
      BRIDGE_SECRET,
      CONTROL_URL: `http://127.0.0.1:${port}`,
    },
    control,
    delay: (ms) => proxy.poison('down', ms === 0 ? {} : { latencyMs: ms }),
    hold: () => proxy.poison('down', { isHeld: true }),
    release: () => proxy.heal(),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await proxy[Symbol.asyncDispose]();
      await bridge[Symbol.asyncDispose]();
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}

interface Parts {
  readonly nodes: readonly EmbeddedNode[];
  readonly bridge: BridgeProcess;
  readonly proxy: FaultProxy;
}

async function obey(command: string, { nodes, bridge, proxy }: Parts): Promise<void> {
  const [verb, argument] = command.split('/');
  const node = nodes[Number(argument)];
  if (verb === 'cut') {
    await proxy.refuse();
    proxy.resetPeers();
  } else if (verb === 'join') await proxy.accept();
  else if (verb === 'stop' && node !== undefined) await node.inject({ kind: 'refuse' });
  else if (verb === 'start') {
    await Promise.all(nodes.map((stopped) => stopped.heal()));
    await waitUntil(() => areAllUp(bridge), 'the bridge uses all nodes again', NODE_LIMIT_MS);
  } else throw new Error(`No such command: ${command}`);
}

async function areAllUp(bridge: BridgeProcess): Promise<boolean> {
  const response = await bridge.admin('GET', '/admin/nodes');
  // The bridge's own answer.
  const { nodes } = (await response.json()) as { nodes: { state: string }[] };
  return nodes.length === NODES && nodes.every(({ state }) => state === 'up');
}
