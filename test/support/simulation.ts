/** A world without crypto, sockets and real time, which a seed decides in every detail. */
import type {
  Clock,
  RandomBytes,
  RecordCodec,
  Sealer,
  SessionRecord,
} from '../../packages/client/src/index.ts';
import { createInstance, type Data, type Instance } from './client-instance.ts';
import { MemoryBridge } from './memory-bridge.ts';

/** Numbers from 0 to 1 (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Time that jumps to the next timer as soon as nothing else is left to do. */
export class VirtualClock implements Clock {
  #now = 1_900_000_000_000;
  #timers: { readonly at: number; readonly run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.#now + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  wait(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.after(delayMs, resolve));
  }

  /** Lets time pass until the work is done. */
  async run<R>(work: Promise<R>): Promise<R> {
    let isDone = false;
    const end = (): void => void (isDone = true);
    work.then(end, end);
    for (;;) {
      // Reading a body takes a few turns of the real event loop.
      for (let turn = 0; turn < 6; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      if (isDone) return work;
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined) continue;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
  }
}

/** Seals that only look like ones. */
const openSealer: Sealer = {
  seal: async (purpose, payload) =>
    `${purpose}-${Buffer.from(JSON.stringify(payload)).toString('base64url')}`,
  unseal: async (purpose, text) => {
    if (!text.startsWith(`${purpose}-`)) return { ok: false, reason: 'invalid' };
    const json = Buffer.from(text.slice(purpose.length + 1), 'base64url').toString();
    return { ok: true, payload: JSON.parse(json), isCurrent: true };
  },
};

/** Records that only look signed. */
const openRecords: RecordCodec = {
  sign: async (record) => JSON.stringify({ ...record, changed: [...(record.changed ?? [])] }),
  verify: async (text, { id }) => {
    // Written by sign() above, a moment ago.
    const record = JSON.parse(text) as SessionRecord & { readonly changed: [string, number][] };
    if (record.id !== id) return { ok: false, reason: 'subject' };
    return { ok: true, record: { ...record, changed: new Map(record.changed) } };
  },
};

export interface Weather {
  /** Share of requests that never arrive. */
  refuse: number;
  /** Share of requests whose answer is lost. */
  lose: number;
  /** Share of requests that hang. */
  hang: number;
}

export class Simulation {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly weather: Weather = { refuse: 0, lose: 0, hang: 0 };
  readonly bridge: MemoryBridge;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.bridge = new MemoryBridge({ secrets: {}, isOpen: true, now: () => this.clock.now() });
  }

  /** One of them. */
  pick<R>(choices: readonly R[]): R {
    const choice = choices[Math.floor(this.random() * choices.length)];
    if (choice === undefined) throw new RangeError('There is nothing to choose from.');
    return choice;
  }

  instance(options: Parameters<typeof createInstance>[1] = {}): Instance {
    const bytes: RandomBytes = (length) => Uint8Array.from({ length }, () => Math.floor(this.random() * 256));
    return createInstance(this.#fetch, {
      clock: this.clock,
      timeoutMs: 1_000,
      random: bytes,
      sealer: openSealer,
      recordCodec: openRecords,
      bridgeToken: () => 'token',
      ...options,
    });
  }

  readonly #fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const { refuse, lose, hang } = this.weather;
    const [fate, there, back] = [this.random(), this.random() * 30, this.random() * 30];
    await this.clock.wait(there);
    if (fate < refuse) throw new TypeError('fetch failed');
    if (fate < refuse + hang) return new Promise(() => undefined);
    const answer = await this.bridge.fetch(url, init);
    await this.clock.wait(back);
    if (fate < refuse + hang + lose) throw new TypeError('fetch failed');
    return answer;
  };
}

/** Fields whose name says that a save put them there. */
export function marksIn(data: Data): Set<string> {
  return new Set(Object.keys(data).filter((key) => key.startsWith('mark')));
}
