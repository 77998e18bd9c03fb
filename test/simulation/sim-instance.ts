/** An app instance of the simulation: the real client, whose requests travel the simulated network. */
import { createSessionManager, type Clock, type Fetch } from '../../packages/client/src/index.ts';
import type { RecordCodec, Sealer } from '../../packages/client/src/ports.ts';
import { type MarkedData, type Task, visit, type VisitReport } from '../history/visit.ts';
import { Machine } from './machine.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimBridge } from './sim-bridge.ts';

export interface SimInstanceOptions {
  readonly scheduler: Scheduler;
  readonly network: Network;
  readonly random: Random;
  readonly bridges: readonly SimBridge[];
  readonly sealer: Sealer;
  readonly records: RecordCodec;
  readonly maxStaleMs: number;
  readonly ttlSeconds: number;
  readonly timeoutMs: number;
  readonly trace: (text: string) => void;
}

/** The wall clock at the beginning of a run: some day in 2033. */
const EPOCH_MS = 2_000_000_000_000;
/** A second delivery of a request may come so much later, milliseconds. */
const LATEST_DUPLICATE_MS = 3_000;
const SECRET = 'a secret of the simulation that nobody need guess';

export class SimInstance {
  readonly machine: Machine;
  readonly #index: number;
  readonly #options: SimInstanceOptions;
  #manager: ReturnType<typeof createSessionManager<MarkedData>>;
  /** Wall clock minus true time, milliseconds. */
  skewMs = 0;

  constructor(index: number, options: SimInstanceOptions) {
    this.#index = index;
    this.#options = options;
    this.machine = new Machine(`instance ${index}`, options.scheduler);
    this.#manager = this.#boot();
  }

  /** Ends the process and starts another one, which holds nothing. */
  restart(): void {
    this.machine.kill();
    this.#manager = this.#boot();
  }

  visit(cookieHeader: string, task: Task): Promise<VisitReport> {
    const headers: Record<string, string> = cookieHeader === '' ? {} : { cookie: cookieHeader };
    return visit(this.#manager, new Request('https://shop.test/', { headers }), task);
  }

  #boot(): ReturnType<typeof createSessionManager<MarkedData>> {
    const { scheduler, random, bridges, sealer, records, maxStaleMs, ttlSeconds, timeoutMs, trace } =
      this.#options;
    this.machine.start();
    const { machine } = this;
    const clock: Clock = {
      now: () => EPOCH_MS + Math.floor(scheduler.now) + this.skewMs,
      elapsed: () => scheduler.now,
      after: (delayMs, run) => machine.after(delayMs, run),
    };
    // Each instance has its own order of bridges.
    const urls = bridges.map((_, index) => `http://bridge-${(index + this.#index) % bridges.length}.test`);
    return createSessionManager<MarkedData>({
      app: 'shop',
      secret: SECRET,
      bridgeSecret: SECRET,
      bridgeUrl: urls,
      ttl: ttlSeconds,
      maxStale: maxStaleMs / 1_000,
      timeoutMs,
      // Room for all sessions of a run; a cache takes its room when it is made.
      cache: { maxEntries: 200 },
      cookie: { secure: true },
      clock,
      random: (length) => random.bytes(length),
      sealer,
      recordCodec: records,
      bridgeToken: () => 'a.b.c',
      holder: {},
      fetch: this.#fetch,
      onEvent: (event) => trace(`${machine.name}: ${event.type} ${describe(event)}`),
    });
  }

  readonly #fetch: Fetch = (url, init) => {
    const { bridges, network, random } = this.#options;
    const bridge = bridges[Number(/bridge-(\d+)/.exec(url)?.[1])];
    if (bridge === undefined) throw new RangeError(`there is no ${url}`);
    const { method = 'GET', headers = {}, body = null, signal } = init;
    const makeRequest = (): Request => new Request(url, { method, headers, body });
    return new Promise<Response>((resolve, reject) => {
      const { machine } = this;
      signal?.addEventListener('abort', () => reject(signal.reason as Error));
      const fail = (): void => reject(new TypeError('fetch failed'));
      const back = (arrive: () => void): void =>
        network.carry(bridge.machine.name, machine.name, () => void machine.after(0, arrive));
      const deliver = (): void => {
        if (!bridge.isListening) return back(fail);
        bridge.machine.after(0, () => void this.#exchange(bridge, makeRequest(), { resolve, fail, back }));
      };
      network.carry(machine.name, bridge.machine.name, deliver);
      if (!random.chance(network.noise.duplicate)) return;
      const lateMs = random.between(0, LATEST_DUPLICATE_MS);
      this.#options.scheduler.after(lateMs, () =>
        network.carry(machine.name, bridge.machine.name, () => {
          if (!bridge.isListening) return;
          bridge.machine.after(0, () => void bridge.answer(makeRequest()));
        }),
      );
    });
  };

  async #exchange(bridge: SimBridge, request: Request, { resolve, fail, back }: Wire): Promise<void> {
    const forget = bridge.machine.onDeath(() => back(fail));
    const response = await bridge.answer(request);
    forget();
    back(() => resolve(response));
  }
}

interface Wire {
  readonly resolve: (response: Response) => void;
  readonly fail: () => void;
  readonly back: (arrive: () => void) => void;
}

function describe(event: object): string {
  return JSON.stringify(event, (key, value: unknown) =>
    key === 'cause' || key === 'type' ? undefined : value,
  );
}
