/** One process that serves clients: the store with its nodes, the data API on a port, and what it can tell. */
import { LIMITS } from '@memsession/client/protocol';
import type { Logger } from 'pino';
import { createApp, routeOf } from './app.ts';
import type { Apps } from './apps-file.ts';
import { Authenticator } from './auth.ts';
import { Bodies } from './body.ts';
import { Cluster } from './cluster.ts';
import type { Config } from './config.ts';
import { Gate } from './gate.ts';
import type { Transition } from './health.ts';
import { LagMeter } from './lag.ts';
import { Listener } from './listener.ts';
import type { Look, Member, MetricJson, NodeLook, RawFacts, Route, RouteQuestion } from './member.ts';
import { createMemjsNode } from './memjs-node.ts';
import { meterNode } from './metered-node.ts';
import { Metrics } from './metrics.ts';
import type { NodeEntry, NodeList } from './node-list.ts';
import { type MemcachedNode, NodeError } from './node.ts';
import { describeApi } from './openapi.ts';
import { RecordCheck } from './record-check.ts';
import { watchRequests } from './request-watch.ts';
import { explainRoute } from './route.ts';
import { SessionStore } from './store.ts';
import { systemClock } from './system-clock.ts';
import { VERSION } from './version.ts';

export interface WorkerOptions {
  /** With the node list that is in force; embedded nodes are already in it. */
  readonly config: Config;
  readonly log: Logger;
  /** Names this process among those of the bridge. */
  readonly id: number;
  /** `isHearsay`: because another process of this bridge had told. */
  readonly onTransition?: (transition: Transition, isHearsay: boolean) => void;
  /** What an operator should look after; anybody may read it. */
  readonly warnings?: () => readonly string[];
}

/** How to end. */
export interface StopOptions {
  /** Not ready, but serving for so long, milliseconds. */
  readonly waitMs: number;
  /** Then requests under way may take so long, milliseconds. */
  readonly graceMs: number;
}

/** Starts to serve. Rejects when the port is taken. */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const worker = new Worker(options);
  await worker.listen();
  return worker;
}

/** A process that serves until it is stopped. */
export class Worker implements Member {
  readonly id: number;
  readonly cluster: Cluster;
  readonly store: SessionStore;
  readonly metrics: Metrics = new Metrics(VERSION);
  /** In its own process it always answers. */
  readonly lastMetrics: readonly MetricJson[] = [];
  readonly #options: WorkerOptions;
  readonly #lag: LagMeter = new LagMeter(systemClock);
  readonly #authenticator: Authenticator;
  readonly #recordCheck: RecordCheck;
  readonly #gate: Gate;
  readonly #bodies: Bodies;
  #listener: Listener | null = null;
  #isStopping = false;
  /** A node of which another process tells just now. */
  #toldOf: number | null = null;

  constructor(options: WorkerOptions) {
    const { config, id } = options;
    this.id = id;
    this.#options = options;
    this.cluster = this.#createCluster();
    const { copies, nodeTimeoutMs } = config;
    const observer = {
      count: this.metrics.happened.bind(this.metrics),
      served: this.metrics.served.bind(this.metrics),
    };
    this.store = new SessionStore({
      cluster: this.cluster,
      clock: systemClock,
      copies,
      nodeTimeoutMs,
      observer,
    });
    this.#authenticator = new Authenticator({ apps: config.apps, wallClock: Date.now });
    this.#recordCheck = new RecordCheck(config.apps);
    this.#gate = new Gate({ clock: systemClock, ...config });
    this.#bodies = new Bodies(config.maxBufferedBytes);
    this.metrics.watchProcess();
    this.metrics.watchLevels(() => ({
      inFlight: this.#gate.inFlight,
      queued: this.#gate.queued,
      bodyBytes: this.#bodies.heldBytes,
      connections: this.#listener?.connections ?? 0,
      doubts: this.store.doubtCount,
      nodes: this.cluster.status(),
    }));
  }

  async listen(): Promise<void> {
    const { config, log } = this.#options;
    const app = this.#createApp();
    // Nothing is served before every node has answered or failed its first probe.
    await this.cluster.settled();
    this.#listener = await Listener.start({
      fetch: (request) => app.fetch(request),
      host: config.host,
      port: config.port,
      setting: 'port',
      log,
      maxConnections: config.maxConnections,
      keepAliveMs: config.keepAliveMs,
      onConnectionRefused: () => this.metrics.shed('connections'),
    });
  }

  /** Where clients reach it. */
  get url(): string {
    return this.#listener?.url ?? '';
  }

  /** Puts another node list in force and returns nothing, or returns why it was refused. */
  setNodes(list: NodeList): string[] {
    return this.cluster.apply(list);
  }

  /** Puts other apps in force: tokens that were good a moment ago may be refused from now on. */
  setApps(apps: Apps): void {
    this.#authenticator.setApps(apps);
    this.#recordCheck.setApps(apps);
  }

  /** Another process of this bridge found a node down, or back. */
  told(index: number, to: 'down' | 'up', reason: string): void {
    this.#toldOf = index;
    if (to === 'down') this.cluster.toldDown(index, reason);
    else this.cluster.nudge();
    this.#toldOf = null;
  }

  async look(): Promise<Look> {
    // Clock.now() and the time of day have different beginnings.
    const epochOffset = Date.now() - systemClock.now();
    const nodes = this.cluster
      .status()
      .map(({ index, address, state, isDraining, since, reason }): NodeLook => {
        return { index, address, state, isDraining, since: Math.round(since + epochOffset), reason };
      });
    return {
      metrics: await this.metrics.registry.getMetricsAsJSON(),
      nodes,
      epoch: this.cluster.epoch,
      notReady: this.#whyNotReady(),
      isInDoubt: this.cluster.isInDoubt,
    };
  }

  async facts(): Promise<readonly RawFacts[]> {
    const usable = this.cluster.list.filter(
      ({ index }) => this.cluster.candidate(index)?.isAvailable === true,
    );
    const facts = await Promise.all(usable.map(({ index }) => this.#factsOf(index)));
    return facts.filter((each) => each !== null);
  }

  explain(question: RouteQuestion): Promise<Route> {
    return explainRoute({ cluster: this.cluster, copies: this.#options.config.copies }, question);
  }

  /** Ends in order: not ready, then no new requests, then nothing. */
  async stop({ waitMs, graceMs }: StopOptions): Promise<void> {
    this.#isStopping = true;
    if (waitMs > 0) await new Promise<void>((resolve) => systemClock.after(waitMs, resolve));
    await this.#listener?.stop(graceMs);
    this.store.close();
    this.#lag.stop();
    await this.cluster.close();
  }

  #whyNotReady(): string | null {
    if (this.#isStopping) return 'stopping';
    return this.cluster.hasAvailableNode ? null : 'no node can be used';
  }

  async #factsOf(index: number): Promise<RawFacts | null> {
    try {
      const stats = Object.fromEntries(await this.cluster.stats(index));
      const settings = await this.cluster.stats(index, 'settings').catch(() => null);
      return { index, stats, settings: settings === null ? null : Object.fromEntries(settings) };
    } catch (error) {
      if (error instanceof NodeError) return null;
      throw error;
    }
  }

  #createApp(): ReturnType<typeof createApp> {
    const { config, log, warnings = () => [] } = this.#options;
    return createApp({
      store: this.store,
      cluster: this.cluster,
      authenticator: this.#authenticator,
      maxRecordBytes: config.maxRecordBytes,
      whyNotReady: () => this.#whyNotReady(),
      warnings,
      log,
      gate: this.#gate,
      bodies: this.#bodies,
      recordCheck: this.#recordCheck,
      metrics: this.metrics,
      openapi: describeApi({ maxRecordBytes: config.maxRecordBytes }),
      watch: watchRequests({
        clock: systemClock,
        log,
        metrics: this.metrics,
        routeOf,
        isStopping: () => this.#isStopping,
      }),
    });
  }

  #createCluster(): Cluster {
    const { config } = this.#options;
    return new Cluster(
      {
        clock: systemClock,
        random: Math.random,
        wallClock: Date.now,
        lagMs: () => this.#lag.lagMs,
        lossGraceMs: config.nodeLossGraceMs,
        createNode: (entry, onConnectionLost) => this.#createNode(entry, onConnectionLost),
        onTransition: (transition) => this.#changed(transition),
      },
      config.nodes,
    );
  }

  #createNode({ index, host, port }: NodeEntry, onConnectionLost: () => void): MemcachedNode {
    const { nodeTimeoutMs: timeoutMs, memcached } = this.#options.config;
    const maxInFlight = mostAtOneNode(this.#options.config);
    // MAX_RECORD_BYTES is what clients may store. What is there already may be larger: the limit was lowered, or
    // another bridge has a higher one. It must be read and copied all the same.
    const node = createMemjsNode({
      index,
      host,
      port,
      timeoutMs,
      maxInFlight,
      onConnectionLost,
      ...memcached,
    });
    return meterNode(node, {
      now: () => systemClock.now(),
      ended: ({ index: of, operation, kind, seconds }) =>
        this.metrics.nodeOperationEnded(of, operation, { kind, seconds }),
    });
  }

  #changed(transition: Transition): void {
    const { index, from, to, reason } = transition;
    this.metrics.nodeChanged(index, from, to);
    const level = to === 'down' ? 'error' : to === 'suspected' ? 'warn' : 'info';
    const isHearsay = this.#toldOf === index;
    this.#options.log[level]({ node: index, from, to, reason, isHearsay }, `node ${index} is ${to}`);
    this.#options.onTransition?.(transition, isHearsay);
  }
}

/** What the bridge does at a node in the background, beside the operations of clients, at most. */
const BACKGROUND_OPERATIONS = 512;

/** Each operation asks a node one thing at a time; a batch that is larger than the limit may come in alone. */
function mostAtOneNode({ maxInFlight }: Config): number {
  return Math.max(maxInFlight, LIMITS.batchOperations) + BACKGROUND_OPERATIONS;
}
