/** Three nodes, the bridge and two instances of the example app, each a process that can die alone. */
import { randomBytes } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answersOnPort, answersOnUrl } from './ports.ts';
import { ManagedProcess } from './processes.ts';

export interface StackPorts {
  readonly nodes: readonly number[];
  readonly bridge: number;
  readonly bridgeAdmin: number;
  readonly instances: readonly number[];
  /** Where the example app asks for nodes and instances to be stopped and started. */
  readonly control: number;
}

/** Something that happened, in words. */
export interface StackEvent {
  /** Epoch milliseconds. */
  readonly at: number;
  readonly text: string;
}

/** The app that the instances run; its Next.js is found from its folder. */
export interface StackApp {
  readonly folder: string;
  /** `dev` for Next.js's development server; otherwise the app must be built. */
  readonly mode?: 'start' | 'dev';
  /** Added to the environment of every instance. */
  readonly env?: Readonly<Record<string, string>>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MOST_EVENTS = 50;

/** Everything that `npm start` runs. */
export class Stack {
  readonly ports: StackPorts;
  readonly nodes: readonly ManagedProcess[];
  readonly bridge: ManagedProcess;
  readonly instances: readonly ManagedProcess[];
  /** Whether the nodes are real memcached processes. */
  readonly hasMemcached: boolean;
  /** Guards the control port. */
  readonly controlToken: string = secret();
  /** Opens the bridge's dashboard. */
  readonly adminToken: string = secret();
  readonly events: StackEvent[] = [];
  readonly #bridgeSecret = secret();
  readonly #sessionSecret = secret();
  readonly #app: StackApp;

  constructor(ports: StackPorts, app: StackApp = { folder: join(ROOT, 'examples/nextjs') }) {
    this.ports = ports;
    this.#app = app;
    const memcached = findProgram('memcached');
    this.hasMemcached = memcached !== null;
    this.nodes = ports.nodes.map((port, index) => this.#planNode(index, port, memcached));
    this.bridge = this.#planBridge();
    this.instances = ports.instances.map((port, index) => this.#planInstance(index, port));
  }

  instanceUrl(index: number): string {
    return `http://localhost:${this.ports.instances[index] ?? 0}`;
  }

  /** Ends everything, the apps first. */
  async stop(): Promise<void> {
    await Promise.all(this.instances.map((instance) => instance.stop()));
    await this.bridge.stop();
    await Promise.all(this.nodes.map((node) => node.stop()));
  }

  /** Remembers what happened, for the page, and returns it for the terminal. */
  tell(text: string): string {
    this.events.push({ at: Date.now(), text });
    this.events.splice(0, this.events.length - MOST_EVENTS);
    return text;
  }

  #planNode(index: number, port: number, memcached: string | null): ManagedProcess {
    const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : [];
    const memcachedArgs = [
      '-l',
      '127.0.0.1',
      '-p',
      String(port),
      '-U',
      '0',
      '-m',
      '64',
      '-M',
      '-B',
      'binary',
      ...user,
    ];
    return new ManagedProcess({
      name: `node ${index}`,
      command: memcached ?? process.execPath,
      args:
        memcached === null ? [join(ROOT, 'examples/start/embedded-node.ts'), String(port)] : memcachedArgs,
      isHealthy: () => answersOnPort(port),
    });
  }

  #planBridge(): ManagedProcess {
    const { bridge: port, bridgeAdmin, nodes } = this.ports;
    return new ManagedProcess({
      name: 'bridge',
      command: process.execPath,
      args: [join(ROOT, 'packages/bridge/dist/main.js')],
      env: {
        MEMCACHED_NODES: nodes.map((each) => `127.0.0.1:${each}`).join(','),
        BRIDGE_SECRET: this.#bridgeSecret,
        HOST: '127.0.0.1',
        PORT: String(port),
        ADMIN_PORT: String(bridgeAdmin),
        ADMIN_TOKEN: this.adminToken,
      },
      isHealthy: () => answersOnUrl(`http://127.0.0.1:${port}/readyz`),
      onLine: (line) => this.#heardBridge(line),
    });
  }

  #planInstance(index: number, port: number): ManagedProcess {
    const { folder, mode = 'start', env } = this.#app;
    return new ManagedProcess({
      name: `instance ${port}`,
      command: process.execPath,
      args: [findNext(folder), mode, '--hostname', 'localhost', '--port', String(port)],
      cwd: folder,
      env: {
        ...env,
        SESSION_SECRET: this.#sessionSecret,
        BRIDGE_SECRET: this.#bridgeSecret,
        BRIDGE_URL: `http://127.0.0.1:${this.ports.bridge}`,
        INSTANCE_NAME: String.fromCodePoint(65 + index),
        STACK_CONTROL_URL: `http://127.0.0.1:${this.ports.control}`,
        STACK_CONTROL_TOKEN: this.controlToken,
        NEXT_TELEMETRY_DISABLED: '1',
      },
      isHealthy: () => answersOnUrl(`http://localhost:${port}/api/health`),
    });
  }

  /** The bridge tells what it notices about nodes in its log. */
  #heardBridge(line: string): void {
    const entry = parseJson(line);
    if (entry === null || !('node' in entry) || !('to' in entry) || !('reason' in entry)) return;
    this.tell(`bridge: node ${String(entry.node)} is ${String(entry.to)} (${String(entry.reason)})`);
  }
}

/** The program of the Next.js that the app in the folder uses. */
export function findNext(folder: string): string {
  return createRequire(join(folder, 'package.json')).resolve('next/dist/bin/next');
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function findProgram(name: string): string | null {
  for (const folder of [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/bin',
    '/usr/sbin',
    '/usr/local/bin',
  ]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

function parseJson(line: string): object | null {
  try {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === 'object' ? parsed : null;
  } catch {
    // Not every line of output is a log entry.
    return null;
  }
}
