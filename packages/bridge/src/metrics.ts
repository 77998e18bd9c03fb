/** What one process counts about its work, as Prometheus metrics. No label ever holds an id, an app or a ref. */
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { StoreEvent } from './observer.ts';
import { TallyCounter, TallyHistogram } from './tally.ts';

/** Numbers that are looked up when somebody asks. */
export interface Levels {
  /** Operations under way, and waiting for a place. */
  readonly inFlight: number;
  readonly queued: number;
  /** Bytes of request bodies held. */
  readonly bodyBytes: number;
  /** Client connections. */
  readonly connections: number;
  /** Keys whose last write on some node got no answer. */
  readonly doubts: number;
  /** Each node with the state it is in for this process. */
  readonly nodes: readonly { readonly index: number; readonly state: string }[];
}

/** Why a request was sent away without any work. */
export type ShedReason = 'overloaded' | 'rate_limited' | 'connections';

/** All of them, so that none is forgotten. */
const EVENTS: Readonly<Record<StoreEvent, true>> = {
  relocation: true,
  conflict: true,
  fork: true,
  repair: true,
  degraded: true,
  widened: true,
  passed_over: true,
  unknown: true,
};
const SHED_REASONS: Readonly<Record<ShedReason, true>> = {
  overloaded: true,
  rate_limited: true,
  connections: true,
};

/** From a quarter of a millisecond to the longest that a client waits, seconds. */
const BUCKETS = [0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

export const PREFIX = 'memsession_';

/** Of those of Node.js, the ones that are about V8 alone. */
const HEAP_SPACE_METRICS = ['total', 'used', 'available'].map(
  (what) => `nodejs_heap_space_size_${what}_bytes`,
);

/** The instruments of one process. */
export class Metrics {
  readonly registry: Registry = new Registry();
  readonly #requests = this.#counter('http_requests_total', 'HTTP requests answered.', ['route', 'status']);
  readonly #requestSeconds = this.#histogram(
    'http_request_duration_seconds',
    'Time from the head of a request to its answer, seconds.',
    'route',
  );
  readonly #operations = this.#counter(
    'operations_total',
    'Session operations by outcome, each of a batch for itself. Statuses are those of the protocol.',
    ['operation', 'status'],
  );
  readonly #shed = this.#counter(
    'shed_total',
    'Requests and connections refused for lack of capacity: overloaded, rate_limited, connections.',
    ['reason'],
  );
  readonly #rejectedTokens = this.#counter('rejected_tokens_total', 'Requests refused for their token.', [
    'code',
  ]);
  readonly #events = this.#counter(
    'session_events_total',
    'What happened to sessions: relocation, conflict, fork, repair, degraded, widened, passed_over, unknown.',
    ['event'],
  );
  readonly #served = this.#counter('node_served_total', 'Answers given with what this node holds.', ['node']);
  readonly #nodeOperations = this.#counter('node_operations_total', 'Operations on a node by outcome.', [
    'node',
    'operation',
    'outcome',
  ]);
  readonly #nodeSeconds = this.#histogram(
    'node_operation_duration_seconds',
    'Time of an operation on a node, failed probes left out, seconds.',
    'node',
  );
  readonly #transitions = this.#counter('node_transitions_total', "Changes of a node's state.", [
    'node',
    'from',
    'to',
  ]);

  constructor(version: string) {
    const info = new Gauge({
      name: `${PREFIX}build_info`,
      help: 'Always 1; the version is in the label.',
      labelNames: ['version'],
      aggregator: 'first',
      registers: [this.registry],
    });
    info.set({ version }, 1);
    for (const event of Object.keys(EVENTS)) this.#events.begin(event);
    for (const reason of Object.keys(SHED_REASONS)) this.#shed.begin(reason);
  }

  /** Adds what the runtime itself can tell: memory, processor time, event loop, garbage collection. */
  watchProcess(): void {
    collectDefaultMetrics({ register: this.registry });
    // Bun has no such spaces. To make them up it walks through its whole heap, and serves nobody meanwhile.
    if ('Bun' in globalThis) for (const name of HEAP_SPACE_METRICS) this.registry.removeSingleMetric(name);
  }

  /** Has the levels looked up at each collection. */
  watchLevels(look: () => Levels): void {
    const gauge = (name: string, help: string, pick: (levels: Levels) => number): void => {
      const level = new Gauge({
        name: PREFIX + name,
        help,
        registers: [],
        collect() {
          this.set(pick(look()));
        },
      });
      this.registry.registerMetric(level);
    };
    gauge('operations_in_flight', 'Session operations under way.', ({ inFlight }) => inFlight);
    gauge('operations_queued', 'Session operations that wait for a place.', ({ queued }) => queued);
    gauge('body_bytes', 'Request bodies held, bytes.', ({ bodyBytes }) => bodyBytes);
    gauge('connections', 'Client connections.', ({ connections }) => connections);
    gauge('doubts', 'Keys whose last write on some node got no answer.', ({ doubts }) => doubts);
    this.#watchNodes(look);
  }

  requestEnded(route: string, status: number, seconds: number): void {
    this.#requests.add(route, status);
    this.#requestSeconds.add(route, seconds);
  }

  operationEnded(operation: string, status: number): void {
    this.#operations.add(operation, status);
  }

  shed(reason: ShedReason): void {
    this.#shed.add(reason);
  }

  tokenRejected(code: string): void {
    this.#rejectedTokens.add(code);
  }

  happened(event: StoreEvent): void {
    this.#events.add(event);
  }

  served(node: number): void {
    this.#served.add(node);
  }

  nodeOperationEnded(node: number, operation: string, outcome: { kind: string; seconds: number }): void {
    this.#nodeOperations.add(node, operation, outcome.kind);
    // Probes of a node that is down would hide what the others' operations take.
    if (operation !== 'probe' || outcome.kind === 'ok') this.#nodeSeconds.add(node, outcome.seconds);
  }

  nodeChanged(node: number, from: string, to: string): void {
    this.#transitions.add(node, from, to);
  }

  #watchNodes(look: () => Levels): void {
    const states = new Gauge({
      name: `${PREFIX}node_state`,
      help: 'Processes of this bridge for which the node is in the state: up, suspected, down, probing, removed.',
      labelNames: ['node', 'state'],
      registers: [],
      collect() {
        this.reset();
        for (const { index, state } of look().nodes) this.set({ node: index, state }, 1);
      },
    });
    this.registry.registerMetric(states);
  }

  #counter<T extends string>(name: string, help: string, labelNames: readonly T[]): TallyCounter<T> {
    return new TallyCounter({ name: PREFIX + name, help, labelNames, registry: this.registry });
  }

  #histogram<T extends string>(name: string, help: string, labelName: T): TallyHistogram<T> {
    return new TallyHistogram({
      name: PREFIX + name,
      help,
      labelName,
      buckets: BUCKETS,
      registry: this.registry,
    });
  }
}
